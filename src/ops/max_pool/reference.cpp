#include <cmath>
#include <vector>

#include "ops/max_pool/reference_windows.hpp"

namespace lockstep {

void max_pool_reference(const ReferenceCall& call) {
  const Windows s = windows_on(call.in_types[0], call.attrs, "max_pool");
  const std::span<const double> x = call.in[0];
  const std::span<double> y = call.out[0], index = call.out[1];
  std::vector<bool> seen(y.size(), false);
  for_each_in_window(s, [&](std::size_t to, std::size_t from, std::int64_t at) {
    if (!seen[to] || x[from] > y[to] || (std::isnan(x[from]) && !std::isnan(y[to]))) {
      y[to] = x[from];
      index[to] = static_cast<double>(at);
      seen[to] = true;
    }
  });
}

void max_pool_backward_reference(const ReferenceCall& call) {
  const Windows s = windows_under(call.in_types[1], call.attrs, "max_pool_backward");
  std::ranges::fill(call.out[0], 0.0);
  for_each_in_window(s, [&](std::size_t to, std::size_t from, std::int64_t at) {
    if (call.in[0][to] == static_cast<double>(at)) {
      call.out[0][from] += call.in[1][to];
    }
  });
}

void max_pool_pick_reference(const ReferenceCall& call) {
  const Windows s = windows_on(call.in_types[1], call.attrs, "max_pool_pick");
  for_each_in_window(s, [&](std::size_t to, std::size_t from, std::int64_t at) {
    if (call.in[0][to] == static_cast<double>(at)) {
      call.out[0][to] = call.in[1][from];
    }
  });
}

}  // namespace lockstep
