#include "ops/elementwise.hpp"

/// equal: y = 1 where a == b, else 0, elementwise. a, b broadcast as numpy's → y, f32.
/// No gradient flows.
namespace lockstep {

const OpEntry& equal_entry() {
  static const DefinedOp op(elementwise(
      "equal", 1, no_gradient, [](double a, double b) -> double { return a == b ? 1 : 0; },
      [](float a, float b) { return a == b ? 1.0F : 0.0F; }));
  return op.entry;
}

Value equal(Value a, Value b) { return a.graph->add(equal_op(), {}, {a, b}); }

}  // namespace lockstep
