#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/sqrt/sqrt.hpp"

namespace lockstep {

void sqrt_reference(const ReferenceCall& call) {
  reference_unary(call, [](double x) { return std::sqrt(x); });
}

}  // namespace lockstep
