#include "ops/cpu_kernel.hpp"
#include "ops/mean/mean.hpp"
#include "ops/reduction.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> mean_cpu(const KernelSpec& spec) {
  const auto count = static_cast<std::size_t>(spec.out[0].elements());
  const auto share = static_cast<float>(static_cast<double>(count) / static_cast<double>(spec.in[0].elements()));
  return make_kernel([shape = reduction_shape(spec.in[0].shape, spec.attrs), count, share](const CpuCall& call) mutable {
    float* const y = call.output(0);
    fold<SumFold>(shape, y, count, call.input(0));
    for (std::size_t i = 0; i < count; ++i) {
      y[i] *= share;
    }
  });
}

}  // namespace lockstep
