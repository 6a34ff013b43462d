#include <cstring>

#include "ops/cpu_kernel.hpp"
#include "ops/reshape/reshape.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> reshape_cpu(const KernelSpec& spec) {
  return make_kernel([bytes = spec.in[0].bytes()](const CpuCall& call) { std::memcpy(call.out[0], call.in[0], bytes); });
}

}  // namespace lockstep
