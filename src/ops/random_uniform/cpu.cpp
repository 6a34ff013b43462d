#include <algorithm>

#include "ops/cpu_kernel.hpp"
#include "ops/keyed.hpp"
#include "ops/random_uniform/random_uniform.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> random_uniform_cpu(const KernelSpec& spec) {
  return make_kernel([samples = samples_of(spec.out[0].shape), name = spec.attrs.text("name")](const CpuCall& call) {
    const KeyedSource source(call.step, "random_uniform", name);
    KeyedWords words;
    for (std::size_t r = 0; r < samples.count; ++r) {
      for (std::size_t begin = 0; begin < samples.length; begin += kKeyedBlock) {
        source.words(words, r, begin / kKeyedBlock);
        float* const y = call.output(0) + r * samples.length + begin;
        const std::size_t count = std::min(kKeyedBlock, samples.length - begin);
        for (std::size_t i = 0; i < count; ++i) {
          y[i] = static_cast<float>(static_cast<std::int32_t>(words[i] >> 8U)) * 0x1p-24F;
        }
      }
    }
  });
}

}  // namespace lockstep
