#include "ops/elementwise.hpp"
#include "ops/sub/sub.hpp"

namespace lockstep {

void sub_reference(const ReferenceCall& call) {
  reference_binary(call, [](double a, double b) { return a - b; });
}

}  // namespace lockstep
