#include "ops/elementwise.hpp"
#include "ops/equal/equal.hpp"

namespace lockstep {

void equal_reference(const ReferenceCall& call) {
  reference_binary(call, [](double a, double b) -> double { return a == b ? 1 : 0; });
}

}  // namespace lockstep
