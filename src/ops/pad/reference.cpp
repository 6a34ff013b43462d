#include <algorithm>

#include "ops/pad/pad.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

void pad_reference(const ReferenceCall& call) {
  const int axis = checked_axis(call.attrs.integer("axis"), call.in_types[0].shape, "pad");
  const AxisView x = view_along(call.in_types[0].shape, axis), y = view_along(call.out_types[0].shape, axis);
  const auto before = static_cast<std::size_t>(call.attrs.integer("before"));
  std::fill(call.out[0].begin(), call.out[0].end(), 0.0);
  for (std::size_t o = 0; o < x.outer; ++o) {
    for (std::size_t i = 0; i < x.length * x.inner; ++i) {
      call.out[0][(o * y.length + before) * y.inner + i] = call.in[0][o * x.length * x.inner + i];
    }
  }
}

}  // namespace lockstep
