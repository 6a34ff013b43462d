#include <algorithm>
#include <cmath>

#include "ops/shapes.hpp"
#include "ops/softmax_cross_entropy/softmax_cross_entropy.hpp"

namespace lockstep {

void softmax_cross_entropy_reference(const ReferenceCall& call) {
  const Rows rows = rows_of(call.in_types[0].shape);
  for (std::size_t r = 0; r < rows.count; ++r) {
    const double* const x = call.in[0].data() + r * rows.length;
    const std::size_t label = checked_index(static_cast<std::int64_t>(call.in[1][r]), static_cast<std::int64_t>(rows.length),
                                            "softmax_cross_entropy", "label", r);
    const double max = *std::max_element(x, x + rows.length);
    double total = 0;
    for (std::size_t i = 0; i < rows.length; ++i) {
      total += std::exp(x[i] - max);
    }
    call.out[0][r] = std::log(total) - (x[label] - max);
  }
}

}  // namespace lockstep
