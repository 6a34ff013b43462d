#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <numeric>
#include <vector>

#include "ops/define.hpp"
#include "ops/op_check.hpp"

namespace lockstep::test {
namespace {

/// Memory aligned to 64 bytes for `count` numbers.
template <class T>
struct Block {
  explicit Block(std::size_t count) : storage(count + 64 / sizeof(T)) {
    data = storage.data() + (64 - reinterpret_cast<std::uintptr_t>(storage.data()) % 64) % 64 / sizeof(T);
  }
  std::vector<T> storage;
  T* data;
};

template <class T>
void run(const TensorType& type, Layout from, Layout to, const T* in, T* out) {
  const auto kernel = reorder_op.entry.cpu({{}, {type}, {type}, {from}, {to}});
  Block<std::byte> scratch(kernel->scratch_bytes());
  const std::array<const std::byte*, 1> ins{reinterpret_cast<const std::byte*>(in)};
  const std::array<std::byte*, 1> outs{reinterpret_cast<std::byte*>(out)};
  const StepContext step;
  kernel->run({ins, outs, scratch.data, step});
}

/// Element [n, c, p] of the tensor 0, 1, 2, … lies at [n, p, c], and comes back.
template <class T>
void check(const TensorType& type) {
  const std::int64_t channels = type.shape[1], area = type.shape[2] * type.shape[3], count = type.elements();
  Block<T> plain(count), moved(count), back(count);
  std::iota(plain.data, plain.data + count, T{0});
  run(type, Layout::plain, Layout::channels_last, plain.data, moved.data);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t n = i / (channels * area), c = i / area % channels, p = i % area;
    const std::int64_t at = (n * area + p) * channels + c;
    ASSERT_EQ(moved.data[at], plain.data[i]) << type.str() << " element " << i;
  }
  run(type, Layout::channels_last, Layout::plain, moved.data, back.data);
  EXPECT_EQ(std::memcmp(back.data, plain.data, type.bytes()), 0);
}

TEST(Reorder, PutsEveryElementWhereTheLayoutSays) {
  for (const Shape& shape : {Shape{2, 32, 5, 3}, Shape{1, 16, 1, 1}, Shape{3, 48, 12, 12}}) {
    check<float>({shape, DType::f32});
    check<std::uint8_t>({shape, DType::u8});
  }
  check<float>({{2, 3, 5, 7}, DType::f32});
  check<float>({{2, 1, 5, 7}, DType::f32});
}

TEST(Reorder, CopiesBetweenEqualLayouts) {
  for (const DType dtype : {DType::f32, DType::i32, DType::u8}) {
    const OpCase c{reorder_op, {}, {{{3, 5, 7}, dtype}}, {integer_numbers(105, 200, 1)}};
    EXPECT_EQ(cpu_outputs(c)[0], c.data[0]);
  }
}

}  // namespace
}  // namespace lockstep::test
