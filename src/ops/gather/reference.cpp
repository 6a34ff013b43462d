#include "ops/gather/gather.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

void gather_reference(const ReferenceCall& call) {
  const int axis = checked_axis(call.attrs.integer("axis"), call.in_types[0].shape, "gather");
  const AxisView x = view_along(call.in_types[0].shape, axis), y = view_along(call.out_types[0].shape, axis);
  for (std::size_t j = 0; j < y.length; ++j) {
    const auto index = static_cast<std::int64_t>(call.in[1][j]);
    const std::size_t row = checked_index(index, static_cast<std::int64_t>(x.length), "gather", "index", j);
    for (std::size_t o = 0; o < y.outer; ++o) {
      for (std::size_t i = 0; i < y.inner; ++i) {
        call.out[0][(o * y.length + j) * y.inner + i] = call.in[0][(o * x.length + row) * x.inner + i];
      }
    }
  }
}

}  // namespace lockstep
