#include <cstring>

#include "ops/concat/concat.hpp"
#include "ops/cpu_kernel.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> concat_cpu(const KernelSpec& spec) {
  const int axis = checked_axis(spec.attrs.integer("axis"), spec.in[0].shape, "concat");
  std::vector<std::size_t> runs;  // bytes that each part gives at a time
  for (const TensorType& part : spec.in) {
    const AxisView x = view_along(part.shape, axis);
    runs.push_back(x.length * x.inner * size_of(part.dtype));
  }
  return make_kernel([runs, outer = view_along(spec.in[0].shape, axis).outer](const CpuCall& call) {
    std::byte* y = call.out[0];
    for (std::size_t o = 0; o < outer; ++o) {
      for (std::size_t k = 0; k < runs.size(); y += runs[k], ++k) {
        std::memcpy(y, call.in[k] + o * runs[k], runs[k]);
      }
    }
  });
}

}  // namespace lockstep
