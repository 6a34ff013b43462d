#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/elu/elu.hpp"

namespace lockstep {

void elu_reference(const ReferenceCall& call) {
  const double alpha = call.attrs.real("alpha");
  reference_unary(call, [alpha](double x) { return x > 0 ? x : alpha * std::expm1(x); });
}

}  // namespace lockstep
