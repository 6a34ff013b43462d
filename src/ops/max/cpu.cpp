#include "ops/cpu_kernel.hpp"
#include "ops/max/max.hpp"
#include "ops/reduction.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> max_cpu(const KernelSpec& spec) {
  const auto count = static_cast<std::size_t>(spec.out[0].elements());
  return make_kernel([shape = reduction_shape(spec.in[0].shape, spec.attrs), count](const CpuCall& call) mutable {
    fold<MaxFold>(shape, call.output(0), count, call.input(0));
  });
}

}  // namespace lockstep
