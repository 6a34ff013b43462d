#pragma once

#include <algorithm>

#include "ops/define.hpp"
#include "runtime/philox.hpp"

/// The rule by which ops draw random numbers. The word of element e of a sample depends on the seed, the op and its name (the key), and
/// on e, the sample's place in the whole batch and the step (the counter); not on lanes, workers or threads. Elements are taken in blocks
/// of 64, made of 16 counters of 4 words: word w of counter c of a block serves its element 16·w + c, so that counters can be computed side
/// by side. A sample is one index of the first axis; ops that draw numbers therefore want the batch there.
namespace lockstep {

inline constexpr std::size_t kKeyedCounters = 16;
inline constexpr std::size_t kKeyedBlock = 4 * kKeyedCounters;
using KeyedWords = std::array<std::uint32_t, kKeyedBlock>;

/// Where the numbers of one call come from.
struct KeyedSource {
  PhiloxKey key;
  std::uint32_t first_row, step_low, step_high;

  KeyedSource(const StepContext& step, std::string_view purpose, std::string_view name)
      : key(philox_key(step.seed, purpose, name)),
        first_row(static_cast<std::uint32_t>(step.first_row)),
        step_low(static_cast<std::uint32_t>(step.step)),
        step_high(static_cast<std::uint32_t>(step.step >> 32U)) {}

  /// The definition: the word of one element of row `row` of this lane.
  [[nodiscard]] std::uint32_t word(std::size_t row, std::size_t element) const {
    const std::size_t block = element / kKeyedBlock, place = element % kKeyedBlock;
    const auto number = static_cast<std::uint32_t>(block * kKeyedCounters + place % kKeyedCounters);
    return philox({number, first_row + static_cast<std::uint32_t>(row), step_low, step_high}, key)[place / kKeyedCounters];
  }

  /// The same words for a whole block, many counters side by side.
  void words(KeyedWords& out, std::size_t row, std::size_t block) const;
};

/// `infer` of ops that draw a tensor: attribute shape.
std::vector<TensorType> infer_drawn(std::string_view op, std::span<const TensorType> in, const Attrs& attrs);

/// The reference loop: calls `visit(element of the tensor, row, element of the row)` for all elements.
template <class Visit>
void for_each_drawn(Rows samples, Visit visit) {
  for (std::size_t r = 0; r < samples.count; ++r) {
    for (std::size_t i = 0; i < samples.length; ++i) {
      visit(r * samples.length + i, r, i);
    }
  }
}

/// A kernel of an op that draws numbers for the tensor `type`: calls `visit(call, words, begin, count)` for all its blocks, where `begin`
/// is the first element of the block in the tensor and `count` ≤ kKeyedBlock are in it.
template <class Visit>
std::unique_ptr<CpuKernel> keyed_kernel(std::string_view purpose, const Attrs& attrs, const TensorType& type, Visit visit) {
  return make_kernel([samples = samples_of(type.shape), purpose, name = attrs.text("name"), visit](const CpuCall& call) {
    const KeyedSource source(call.step, purpose, name);
    KeyedWords words;
    for (std::size_t r = 0; r < samples.count; ++r) {
      for (std::size_t begin = 0; begin < samples.length; begin += kKeyedBlock) {
        source.words(words, r, begin / kKeyedBlock);
        visit(call, words, r * samples.length + begin, std::min(kKeyedBlock, samples.length - begin));
      }
    }
  });
}

/// The numbers that a block's words stand for: uniform in [0, 1), multiples of 2^−24; and normal with mean 0 and deviation 1, see
/// random_normal.
using KeyedNumbers = std::array<float, kKeyedBlock>;
[[nodiscard]] KeyedNumbers keyed_uniforms(const KeyedWords& words);
[[nodiscard]] KeyedNumbers keyed_normals(const KeyedWords& words);

/// The kernel of an op that draws them.
template <KeyedNumbers (*kNumbers)(const KeyedWords&)>
std::unique_ptr<CpuKernel> drawn_kernel(std::string_view op, const KernelSpec& spec) {
  return keyed_kernel(op, spec.attrs, spec.out[0], [](const CpuCall& call, const KeyedWords& words, std::size_t begin, std::size_t count) {
    std::copy_n(kNumbers(words).begin(), count, call.output(0) + begin);
  });
}

/// In (0, 1], for logarithms.
inline float unit_float_above_zero(std::uint32_t word) { return static_cast<float>((word >> 8U) + 1U) * 0x1p-24F; }

}  // namespace lockstep
