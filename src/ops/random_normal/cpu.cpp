#include <algorithm>
#include <array>
#include <cmath>

#include "ops/cpu_kernel.hpp"
#include "ops/fast_math.hpp"
#include "ops/keyed.hpp"
#include "ops/random_normal/random_normal.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// 16 pairs of normal numbers from 16 pairs of words.
void normal_pairs(float* out, const std::uint32_t* words) {
  for (std::size_t j = 0; j < kKeyedCounters; ++j) {
    const float u = static_cast<float>(static_cast<std::int32_t>((words[j] >> 8U) + 1U)) * 0x1p-24F;
    const float v = static_cast<float>(static_cast<std::int32_t>(words[kKeyedCounters + j] >> 8U)) * 0x1p-24F;
    const float radius = std::sqrt(-2.0F * fast::log(u));
    const fast::SinCos turn = fast::sincos_turns(v);
    out[j] = radius * turn.cos;
    out[kKeyedCounters + j] = radius * turn.sin;
  }
}

}  // namespace

std::unique_ptr<CpuKernel> random_normal_cpu(const KernelSpec& spec) {
  return make_kernel([samples = samples_of(spec.out[0].shape), name = spec.attrs.text("name")](const CpuCall& call) {
    const KeyedSource source(call.step, "random_normal", name);
    KeyedWords words;
    std::array<float, kKeyedBlock> numbers;
    for (std::size_t r = 0; r < samples.count; ++r) {
      for (std::size_t begin = 0; begin < samples.length; begin += kKeyedBlock) {
        source.words(words, r, begin / kKeyedBlock);
        normal_pairs(numbers.data(), words.data());
        normal_pairs(numbers.data() + 2 * kKeyedCounters, words.data() + 2 * kKeyedCounters);
        std::copy_n(numbers.begin(), std::min(kKeyedBlock, samples.length - begin), call.output(0) + r * samples.length + begin);
      }
    }
  });
}

}  // namespace lockstep
