#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/gelu/gelu.hpp"

namespace lockstep {

void gelu_reference(const ReferenceCall& call) {
  reference_unary(call, [](double x) { return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5))); });
}

}  // namespace lockstep
