#include "ops/elementwise.hpp"
#include "ops/relu/relu.hpp"

namespace lockstep {

void relu_reference(const ReferenceCall& call) {
  reference_unary(call, [](double x) -> double { return x < 0 ? 0 : x; });
}

}  // namespace lockstep
