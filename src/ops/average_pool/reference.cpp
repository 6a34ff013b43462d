#include "ops/average_pool/average_pool.hpp"
#include "ops/max_pool/window.hpp"

namespace lockstep {

void average_pool_reference(const ReferenceCall& call) {
  const Windows s = windows_on(call.in_types[0], call.attrs, "average_pool");
  const auto count = static_cast<double>(s.window * s.window);
  std::ranges::fill(call.out[0], 0.0);
  for_each_in_window(s, [&](std::size_t to, std::size_t from, std::int64_t) { call.out[0][to] += call.in[0][from] / count; });
}

void average_pool_backward_reference(const ReferenceCall& call) {
  const Windows s = windows_under(call.in_types[0], call.attrs, "average_pool_backward");
  const auto count = static_cast<double>(s.window * s.window);
  std::ranges::fill(call.out[0], 0.0);
  for_each_in_window(s, [&](std::size_t to, std::size_t from, std::int64_t) { call.out[0][from] += call.in[0][to] / count; });
}

}  // namespace lockstep
