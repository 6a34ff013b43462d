#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/erf/erf.hpp"

namespace lockstep {

void erf_reference(const ReferenceCall& call) {
  reference_unary(call, [](double x) { return std::erf(x); });
}

}  // namespace lockstep
