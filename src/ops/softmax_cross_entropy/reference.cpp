#include <cmath>

#include "ops/reference_loops.hpp"

namespace lockstep {

void softmax_cross_entropy_reference(const ReferenceCall& call) {
  const Rows rows = rows_of(call.in_types[0].shape);
  for (std::size_t r = 0; r < rows.count; ++r) {
    const double* const x = call.in[0].data() + r * rows.length;
    const std::size_t label = checked_index(static_cast<std::int64_t>(call.in[1][r]), rows.length, "softmax_cross_entropy", "label", r);
    const auto [max, total] = reference_exp_sum(x, rows.length);
    call.out[0][r] = std::log(total) - (x[label] - max);
  }
}

void softmax_cross_entropy_backward_reference(const ReferenceCall& call) {
  const Rows rows = rows_of(call.in_types[0].shape);
  for (std::size_t r = 0; r < rows.count; ++r) {
    const double* const x = call.in[0].data() + r * rows.length;
    double* const dx = call.out[0].data() + r * rows.length;
    const std::size_t label =
        checked_index(static_cast<std::int64_t>(call.in[1][r]), rows.length, "softmax_cross_entropy_backward", "label", r);
    const auto [max, total] = reference_exp_sum(x, rows.length);
    for (std::size_t i = 0; i < rows.length; ++i) {
      dx[i] = (std::exp(x[i] - max) / total - (i == label ? 1 : 0)) * call.in[2][r];
    }
  }
}

}  // namespace lockstep
