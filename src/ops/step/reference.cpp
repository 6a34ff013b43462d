#include "ops/elementwise.hpp"
#include "ops/step/step.hpp"

namespace lockstep {

void step_reference(const ReferenceCall& call) {
  reference_unary(call, [](double x) -> double { return x > 0 ? 1 : 0; });
}

}  // namespace lockstep
