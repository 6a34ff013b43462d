#include <algorithm>
#include <cmath>

#include "ops/shapes.hpp"
#include "ops/softmax_cross_entropy_backward/softmax_cross_entropy_backward.hpp"

namespace lockstep {

void softmax_cross_entropy_backward_reference(const ReferenceCall& call) {
  const Rows rows = rows_of(call.in_types[0].shape);
  for (std::size_t r = 0; r < rows.count; ++r) {
    const double* const x = call.in[0].data() + r * rows.length;
    double* const dx = call.out[0].data() + r * rows.length;
    const std::size_t label = checked_index(static_cast<std::int64_t>(call.in[1][r]), static_cast<std::int64_t>(rows.length),
                                            "softmax_cross_entropy_backward", "label", r);
    const double max = *std::max_element(x, x + rows.length);
    double total = 0;
    for (std::size_t i = 0; i < rows.length; ++i) {
      total += std::exp(x[i] - max);
    }
    for (std::size_t i = 0; i < rows.length; ++i) {
      dx[i] = (std::exp(x[i] - max) / total - (i == label ? 1 : 0)) * call.in[2][r];
    }
  }
}

}  // namespace lockstep
