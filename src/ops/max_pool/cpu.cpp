#include <cstring>

#include "ops/max_pool/max_pool.hpp"
#include "ops/max_pool/window.hpp"

namespace lockstep {
namespace {

/// Eight neighbouring lanes in vector registers (GCC's and Clang's vector types; plain arrays do not stay there), of which the first kWidth
/// are read and written. By reference, as vectors are not passed alike by all instruction sets.
template <int kWidth>
struct Lanes {
  typedef float Floats __attribute__((vector_size(32)));
  typedef std::int32_t Integers __attribute__((vector_size(32)));
  typedef std::uint8_t Bytes __attribute__((vector_size(8)));

  static void load(Floats& lanes, const float* from) { std::memcpy(&lanes, from, kWidth * sizeof(float)); }
  static void load(Integers& lanes, const std::uint8_t* from) {
    Bytes bytes{};
    std::memcpy(&bytes, from, kWidth);
    lanes = __builtin_convertvector(bytes, Integers);
  }
  static void store(float* to, const Floats& lanes) { std::memcpy(to, &lanes, kWidth * sizeof(float)); }
  static void store(std::uint8_t* to, const Integers& lanes) {
    const Bytes bytes = __builtin_convertvector(lanes, Bytes);
    std::memcpy(to, &bytes, kWidth);
  }
};

class MaxPoolKernel final : public PoolKernel {
 public:
  explicit MaxPoolKernel(const KernelSpec& spec) : PoolKernel(windows_on(spec.in[0], spec.attrs, "max_pool"), spec.in_layouts[0]) {}

  void run(const CpuCall& call) override {
    for_each_window(s_, planes_, [&](const WindowPlace& at) {
      in_runs<8>(planes_.lanes, [&](auto width, std::int64_t lane) {
        greatest<width>(at, call.input(0) + lane, call.output(0) + at.y + lane, call.output<std::uint8_t>(1) + at.y + lane);
      });
    });
  }

 private:
  template <int kWidth>
  void greatest(const WindowPlace& at, const float* x, float* y, std::uint8_t* index) const {
    using V = Lanes<kWidth>;
    typename V::Floats best{}, v{};
    V::load(best, x + at.x + (at.top * s_.w + at.left) * planes_.lanes);
    typename V::Integers place = typename V::Integers{} + static_cast<std::int32_t>(at.top * s_.window + at.left);
    inside(at, [&](std::int64_t from, int here) {
      V::load(v, x + from);
      const typename V::Integers take = ~(v <= best) & (best == best);  // greater, or the first NaN
      best = take ? v : best;
      place = take ? typename V::Integers{} + here : place;
    });
    V::store(y, best);
    V::store(index, place);
  }
};

class MaxPoolBackwardKernel final : public PoolKernel {
 public:
  explicit MaxPoolBackwardKernel(const KernelSpec& spec)
      : PoolKernel(windows_under(spec.in[1], spec.attrs, "max_pool_backward"), spec.in_layouts[0]) {}

  void run(const CpuCall& call) override {
    const bool apart = s_.stride >= s_.window;  // no element lies in two windows
    std::int64_t zeroed = -1;
    for_each_window(s_, planes_, [&](const WindowPlace& at) {
      if (at.plane != zeroed) {
        zeroed = at.plane;
        zero_plane(call.output(0), zeroed);
      }
      in_runs<8>(planes_.lanes, [&](auto width, std::int64_t lane) {
        using V = Lanes<width>;
        typename V::Integers index;
        typename V::Floats g{}, dx{};
        V::load(index, call.input<std::uint8_t>(0) + at.y + lane);
        V::load(g, call.input(1) + at.y + lane);
        inside(at, [&](std::int64_t to, int here) {
          const typename V::Floats part = index == here ? g : typename V::Floats{};
          if (!apart) {
            V::load(dx, call.output(0) + to + lane);
          }
          V::store(call.output(0) + to + lane, dx + part);
        });
      });
    });
  }
};

class MaxPoolPickKernel final : public PoolKernel {
 public:
  explicit MaxPoolPickKernel(const KernelSpec& spec)
      : PoolKernel(windows_on(spec.in[1], spec.attrs, "max_pool_pick"), spec.in_layouts[0]) {}

  void run(const CpuCall& call) override {
    for_each_window(s_, planes_, [&](const WindowPlace& at) {
      for (std::int64_t lane = 0; lane < planes_.lanes; ++lane) {
        const std::int64_t place = call.input<std::uint8_t>(0)[at.y + lane];
        const std::int64_t from = at.x + (place / s_.window * s_.w + place % s_.window) * planes_.lanes;
        call.output(0)[at.y + lane] = call.input(1)[from + lane];
      }
    });
  }
};

}  // namespace

std::unique_ptr<CpuKernel> max_pool_cpu(const KernelSpec& spec) { return make<MaxPoolKernel>(spec); }
std::unique_ptr<CpuKernel> max_pool_backward_cpu(const KernelSpec& spec) { return make<MaxPoolBackwardKernel>(spec); }
std::unique_ptr<CpuKernel> max_pool_pick_cpu(const KernelSpec& spec) { return make<MaxPoolPickKernel>(spec); }

}  // namespace lockstep
