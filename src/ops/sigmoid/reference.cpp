#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/sigmoid/sigmoid.hpp"

namespace lockstep {

void sigmoid_reference(const ReferenceCall& call) {
  reference_unary(call, [](double x) { return 1 / (1 + std::exp(-x)); });
}

}  // namespace lockstep
