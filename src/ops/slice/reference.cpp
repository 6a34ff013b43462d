#include "ops/shapes.hpp"
#include "ops/slice/slice.hpp"

namespace lockstep {

void slice_reference(const ReferenceCall& call) {
  const int axis = checked_axis(call.attrs.integer("axis"), call.in_types[0].shape, "slice");
  const AxisView x = view_along(call.in_types[0].shape, axis), y = view_along(call.out_types[0].shape, axis);
  const auto begin = static_cast<std::size_t>(call.attrs.integer("begin"));
  for (std::size_t o = 0; o < y.outer; ++o) {
    for (std::size_t i = 0; i < y.length * y.inner; ++i) {
      call.out[0][o * y.length * y.inner + i] = call.in[0][(o * x.length + begin) * x.inner + i];
    }
  }
}

}  // namespace lockstep
