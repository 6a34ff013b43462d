#include "ops/elementwise.hpp"
#include "ops/neg/neg.hpp"

namespace lockstep {

void neg_reference(const ReferenceCall& call) {
  reference_unary(call, [](double x) { return -x; });
}

}  // namespace lockstep
