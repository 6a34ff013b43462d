#include "ops/elementwise.hpp"
#include "ops/square/square.hpp"

namespace lockstep {

void square_reference(const ReferenceCall& call) {
  reference_unary(call, [](double x) { return x * x; });
}

}  // namespace lockstep
