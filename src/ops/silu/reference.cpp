#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/silu/silu.hpp"

namespace lockstep {

void silu_reference(const ReferenceCall& call) {
  reference_unary(call, [](double x) { return x / (1 + std::exp(-x)); });
}

}  // namespace lockstep
