#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/max/max.hpp"
#include "ops/reduction.hpp"

namespace lockstep {

void max_reference(const ReferenceCall& call) {
  std::fill(call.out[0].begin(), call.out[0].end(), -std::numeric_limits<double>::infinity());
  StridedWalk place = reduction_walk(call.in_types[0].shape, call.attrs);
  for (const double value : call.in[0]) {
    double& y = call.out[0][place.index()];
    y = y > value || std::isnan(y) ? y : value;
    place.next();
  }
}

}  // namespace lockstep
