#include "ops/broadcast_to/broadcast_to.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

void broadcast_to_reference(const ReferenceCall& call) {
  StridedWalk place = broadcast_walk(call.in_types[0].shape, call.out_types[0].shape);
  for (double& y : call.out[0]) {
    y = call.in[0][place.index()];
    place.next();
  }
}

}  // namespace lockstep
