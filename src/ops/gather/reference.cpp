#include <algorithm>

#include "ops/define.hpp"

namespace lockstep {

void gather_reference(const ReferenceCall& call) {
  const AxisView x = view_along(call.in_types[0].shape, call.attrs), y = view_along(call.out_types[0].shape, call.attrs);
  for (std::size_t j = 0; j < y.length; ++j) {
    const auto index = static_cast<std::int64_t>(call.in[1][j]);
    const std::size_t row = checked_index(index, x.length, "gather", "index", j);
    for (std::size_t o = 0; o < y.outer; ++o) {
      for (std::size_t i = 0; i < y.inner; ++i) {
        call.out[0][(o * y.length + j) * y.inner + i] = call.in[0][(o * x.length + row) * x.inner + i];
      }
    }
  }
}

void gather_backward_reference(const ReferenceCall& call) {
  const AxisView g = view_along(call.in_types[1].shape, call.attrs), y = view_along(call.out_types[0].shape, call.attrs);
  std::fill(call.out[0].begin(), call.out[0].end(), 0.0);
  for (std::size_t j = 0; j < g.length; ++j) {
    const auto index = static_cast<std::int64_t>(call.in[0][j]);
    const std::size_t row = checked_index(index, y.length, "gather_backward", "index", j);
    for (std::size_t o = 0; o < g.outer; ++o) {
      for (std::size_t i = 0; i < g.inner; ++i) {
        call.out[0][(o * y.length + row) * y.inner + i] += call.in[1][(o * g.length + j) * g.inner + i];
      }
    }
  }
}

}  // namespace lockstep
