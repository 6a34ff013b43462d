#include <algorithm>

#include "ops/one_hot/one_hot.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

void one_hot_reference(const ReferenceCall& call) {
  const std::int64_t classes = call.attrs.integer("classes");
  std::fill(call.out[0].begin(), call.out[0].end(), 0.0);
  for (std::size_t r = 0; r < call.in[0].size(); ++r) {
    const std::size_t label = checked_index(static_cast<std::int64_t>(call.in[0][r]), classes, "one_hot", "label", r);
    call.out[0][r * static_cast<std::size_t>(classes) + label] = 1;
  }
}

}  // namespace lockstep
