#include <cstring>

#include "ops/cpu_kernel.hpp"
#include "ops/pad/pad.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> pad_cpu(const KernelSpec& spec) {
  const int axis = checked_axis(spec.attrs.integer("axis"), spec.in[0].shape, "pad");
  const AxisView x = view_along(spec.in[0].shape, axis);
  const std::size_t unit = x.inner * size_of(spec.in[0].dtype);  // bytes of one element of the axis
  const std::size_t before = static_cast<std::size_t>(spec.attrs.integer("before")) * unit;
  const std::size_t after = static_cast<std::size_t>(spec.attrs.integer("after")) * unit;
  return make_kernel([before, after, outer = x.outer, kept = x.length * unit](const CpuCall& call) {
    std::byte* y = call.out[0];
    for (std::size_t o = 0; o < outer; ++o, y += before + kept + after) {
      std::memset(y, 0, before);
      std::memcpy(y + before, call.in[0] + o * kept, kept);
      std::memset(y + before + kept, 0, after);
    }
  });
}

}  // namespace lockstep
