#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/maximum/maximum.hpp"

namespace lockstep {

void maximum_reference(const ReferenceCall& call) {
  reference_binary(call, [](double a, double b) { return a > b || std::isnan(a) ? a : b; });
}

}  // namespace lockstep
