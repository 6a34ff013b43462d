#include <cstring>

#include "ops/cpu_kernel.hpp"
#include "ops/gather_backward/gather_backward.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> gather_backward_cpu(const KernelSpec& spec) {
  const int axis = checked_axis(spec.attrs.integer("axis"), spec.in[1].shape, "gather_backward");
  const AxisView g = view_along(spec.in[1].shape, axis), y = view_along(spec.out[0].shape, axis);
  return make_kernel([g, y, bytes = spec.out[0].bytes()](const CpuCall& call) {
    std::memset(call.out[0], 0, bytes);
    for (std::size_t j = 0; j < g.length; ++j) {
      const std::int32_t index = call.input<std::int32_t>(0)[j];
      const std::size_t row = checked_index(index, static_cast<std::int64_t>(y.length), "gather_backward", "index", j);
      for (std::size_t o = 0; o < g.outer; ++o) {
        float* const to = call.output(0) + (o * y.length + row) * y.inner;
        const float* const from = call.input(1) + (o * g.length + j) * g.inner;
        for (std::size_t i = 0; i < g.inner; ++i) {
          to[i] += from[i];
        }
      }
    }
  });
}

}  // namespace lockstep
