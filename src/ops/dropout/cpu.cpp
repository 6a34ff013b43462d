#include <algorithm>
#include <cmath>

#include "ops/cpu_kernel.hpp"
#include "ops/dropout/dropout.hpp"
#include "ops/keyed.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

namespace {

/// y = 0 where the word is below the threshold, else x·scale.
void mask(float* __restrict y, const float* __restrict x, const std::uint32_t* words, std::size_t n, std::uint32_t threshold, float scale) {
  for (std::size_t i = 0; i < n; ++i) {
    const float kept = x[i] * scale;
    y[i] = words[i] < threshold ? 0.0F : kept;
  }
}

}  // namespace

std::unique_ptr<CpuKernel> dropout_cpu(const KernelSpec& spec) {
  const double rate = spec.attrs.real("rate");
  // word / 2^32 < rate, in integers
  const auto threshold = static_cast<std::uint32_t>(std::min(std::ceil(rate * 0x1p32), 0x1p32 - 1));
  const auto scale = static_cast<float>(1 / (1 - rate));
  return make_kernel([samples = samples_of(spec.in[0].shape), name = spec.attrs.text("name"), threshold, scale](const CpuCall& call) {
    const KeyedSource source(call.step, "dropout", name);
    KeyedWords words;
    for (std::size_t r = 0; r < samples.count; ++r) {
      for (std::size_t begin = 0; begin < samples.length; begin += kKeyedBlock) {
        source.words(words, r, begin / kKeyedBlock);
        const std::size_t at = r * samples.length + begin;
        mask(call.output(0) + at, call.input(0) + at, words.data(), std::min(kKeyedBlock, samples.length - begin), threshold, scale);
      }
    }
  });
}

}  // namespace lockstep
