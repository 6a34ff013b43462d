#include "ops/div/div.hpp"
#include "ops/elementwise.hpp"

namespace lockstep {

void div_reference(const ReferenceCall& call) {
  reference_binary(call, [](double a, double b) { return a / b; });
}

}  // namespace lockstep
