#include "ops/concat/concat.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

void concat_reference(const ReferenceCall& call) {
  const int axis = checked_axis(call.attrs.integer("axis"), call.in_types[0].shape, "concat");
  const AxisView y = view_along(call.out_types[0].shape, axis);
  std::size_t begin = 0;
  for (std::size_t k = 0; k < call.in.size(); ++k) {
    const std::size_t run = view_along(call.in_types[k].shape, axis).length * y.inner;
    for (std::size_t o = 0; o < y.outer; ++o) {
      for (std::size_t i = 0; i < run; ++i) {
        call.out[0][o * y.length * y.inner + begin + i] = call.in[k][o * run + i];
      }
    }
    begin += run;
  }
}

}  // namespace lockstep
