#include <algorithm>
#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/softplus/softplus.hpp"

namespace lockstep {

void softplus_reference(const ReferenceCall& call) {
  reference_unary(call, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); });
}

}  // namespace lockstep
