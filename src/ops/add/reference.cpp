#include "ops/add/add.hpp"
#include "ops/elementwise.hpp"

namespace lockstep {

void add_reference(const ReferenceCall& call) {
  reference_binary(call, [](double a, double b) { return a + b; });
}

}  // namespace lockstep
