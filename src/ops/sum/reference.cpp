#include <algorithm>

#include "ops/reduction.hpp"
#include "ops/sum/sum.hpp"

namespace lockstep {

void sum_reference(const ReferenceCall& call) {
  std::fill(call.out[0].begin(), call.out[0].end(), 0.0);
  StridedWalk place = reduction_walk(call.in_types[0].shape, call.attrs);
  for (const double value : call.in[0]) {
    double& y = call.out[0][place.index()];
    y += value;
    place.next();
  }
}

}  // namespace lockstep
