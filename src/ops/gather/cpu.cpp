#include <cstring>

#include "ops/cpu_kernel.hpp"
#include "ops/gather/gather.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> gather_cpu(const KernelSpec& spec) {
  const int axis = checked_axis(spec.attrs.integer("axis"), spec.in[0].shape, "gather");
  const AxisView x = view_along(spec.in[0].shape, axis), y = view_along(spec.out[0].shape, axis);
  return make_kernel([x, y, unit = x.inner * size_of(spec.in[0].dtype)](const CpuCall& call) {
    for (std::size_t j = 0; j < y.length; ++j) {
      const std::size_t row = checked_index(call.input<std::int32_t>(1)[j], static_cast<std::int64_t>(x.length), "gather", "index", j);
      for (std::size_t o = 0; o < y.outer; ++o) {
        std::memcpy(call.out[0] + (o * y.length + j) * unit, call.in[0] + (o * x.length + row) * unit, unit);
      }
    }
  });
}

}  // namespace lockstep
