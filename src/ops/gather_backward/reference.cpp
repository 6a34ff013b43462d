#include <algorithm>

#include "ops/gather_backward/gather_backward.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

void gather_backward_reference(const ReferenceCall& call) {
  const int axis = checked_axis(call.attrs.integer("axis"), call.in_types[1].shape, "gather_backward");
  const AxisView g = view_along(call.in_types[1].shape, axis), y = view_along(call.out_types[0].shape, axis);
  std::fill(call.out[0].begin(), call.out[0].end(), 0.0);
  for (std::size_t j = 0; j < g.length; ++j) {
    const auto index = static_cast<std::int64_t>(call.in[0][j]);
    const std::size_t row = checked_index(index, static_cast<std::int64_t>(y.length), "gather_backward", "index", j);
    for (std::size_t o = 0; o < g.outer; ++o) {
      for (std::size_t i = 0; i < g.inner; ++i) {
        call.out[0][(o * y.length + row) * y.inner + i] += call.in[1][(o * g.length + j) * g.inner + i];
      }
    }
  }
}

}  // namespace lockstep
