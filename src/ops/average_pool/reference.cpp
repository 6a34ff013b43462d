#include "ops/max_pool/reference_windows.hpp"

namespace lockstep {
namespace {

double elements(const Windows& s) { return static_cast<double>(s.window * s.window); }

}  // namespace

void average_pool_reference(const ReferenceCall& call) {
  const Windows s = windows_on(call.in_types[0], call.attrs, "average_pool");
  std::ranges::fill(call.out[0], 0.0);
  for_each_in_window(s, [&](std::size_t to, std::size_t from, std::int64_t) { call.out[0][to] += call.in[0][from] / elements(s); });
}

void average_pool_backward_reference(const ReferenceCall& call) {
  const Windows s = windows_under(call.in_types[0], call.attrs, "average_pool_backward");
  std::ranges::fill(call.out[0], 0.0);
  for_each_in_window(s, [&](std::size_t to, std::size_t from, std::int64_t) { call.out[0][from] += call.in[0][to] / elements(s); });
}

}  // namespace lockstep
