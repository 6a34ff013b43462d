#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/exp/exp.hpp"

namespace lockstep {

void exp_reference(const ReferenceCall& call) {
  reference_unary(call, [](double x) { return std::exp(x); });
}

}  // namespace lockstep
