#include <cstring>

#include "ops/cpu_kernel.hpp"
#include "ops/shapes.hpp"
#include "ops/slice/slice.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> slice_cpu(const KernelSpec& spec) {
  const int axis = checked_axis(spec.attrs.integer("axis"), spec.in[0].shape, "slice");
  const AxisView x = view_along(spec.in[0].shape, axis), y = view_along(spec.out[0].shape, axis);
  const std::size_t unit = x.inner * size_of(spec.in[0].dtype);  // bytes of one element of the axis
  const std::size_t skip = static_cast<std::size_t>(spec.attrs.integer("begin")) * unit;
  return make_kernel([skip, outer = y.outer, from = x.length * unit, to = y.length * unit](const CpuCall& call) {
    for (std::size_t o = 0; o < outer; ++o) {
      std::memcpy(call.out[0] + o * to, call.in[0] + o * from + skip, to);
    }
  });
}

}  // namespace lockstep
