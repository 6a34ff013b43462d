#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/log/log.hpp"

namespace lockstep {

void log_reference(const ReferenceCall& call) {
  reference_unary(call, [](double x) { return std::log(x); });
}

}  // namespace lockstep
