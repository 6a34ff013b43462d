#include <algorithm>
#include <cmath>

#include "ops/shapes.hpp"
#include "ops/softmax/softmax.hpp"

namespace lockstep {

void softmax_reference(const ReferenceCall& call) {
  const Rows rows = rows_of(call.in_types[0].shape);
  for (std::size_t r = 0; r < rows.count; ++r) {
    const double* const x = call.in[0].data() + r * rows.length;
    double* const y = call.out[0].data() + r * rows.length;
    const double max = *std::max_element(x, x + rows.length);
    double total = 0;
    for (std::size_t i = 0; i < rows.length; ++i) {
      total += std::exp(x[i] - max);
    }
    for (std::size_t i = 0; i < rows.length; ++i) {
      y[i] = std::exp(x[i] - max) / total;
    }
  }
}

}  // namespace lockstep
