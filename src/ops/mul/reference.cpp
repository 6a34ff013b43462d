#include "ops/elementwise.hpp"
#include "ops/mul/mul.hpp"

namespace lockstep {

void mul_reference(const ReferenceCall& call) {
  reference_binary(call, [](double a, double b) { return a * b; });
}

}  // namespace lockstep
