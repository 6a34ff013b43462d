#include "ops/mean_squared_error/mean_squared_error.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

void mean_squared_error_reference(const ReferenceCall& call) {
  const Rows samples = samples_of(call.in_types[0].shape);
  for (std::size_t r = 0; r < samples.count; ++r) {
    double total = 0;
    for (std::size_t i = r * samples.length; i < (r + 1) * samples.length; ++i) {
      total += (call.in[0][i] - call.in[1][i]) * (call.in[0][i] - call.in[1][i]);
    }
    call.out[0][r] = total / static_cast<double>(samples.length);
  }
}

}  // namespace lockstep
