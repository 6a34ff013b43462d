#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/tanh/tanh.hpp"

namespace lockstep {

void tanh_reference(const ReferenceCall& call) {
  reference_unary(call, [](double x) { return std::tanh(x); });
}

}  // namespace lockstep
