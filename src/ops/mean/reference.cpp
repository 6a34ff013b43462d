#include <algorithm>

#include "ops/mean/mean.hpp"
#include "ops/reduction.hpp"

namespace lockstep {

void mean_reference(const ReferenceCall& call) {
  std::fill(call.out[0].begin(), call.out[0].end(), 0.0);
  StridedWalk place = reduction_walk(call.in_types[0].shape, call.attrs);
  for (const double value : call.in[0]) {
    double& y = call.out[0][place.index()];
    y += value;
    place.next();
  }
  const double share = static_cast<double>(call.out[0].size()) / static_cast<double>(call.in[0].size());
  for (double& y : call.out[0]) {
    y *= share;
  }
}

}  // namespace lockstep
