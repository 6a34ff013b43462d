#include "ops/cpu_kernel.hpp"
#include "ops/reduction.hpp"
#include "ops/sum/sum.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> sum_cpu(const KernelSpec& spec) {
  const auto count = static_cast<std::size_t>(spec.out[0].elements());
  return make_kernel([shape = reduction_shape(spec.in[0].shape, spec.attrs), count](const CpuCall& call) mutable {
    fold<SumFold>(shape, call.output(0), count, call.input(0));
  });
}

}  // namespace lockstep
