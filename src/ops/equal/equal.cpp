#include "ops/elementwise.hpp"

/// equal: y = 1 where a == b, else 0, elementwise. a, b broadcast as numpy's → y, f32.
/// No gradient flows.
namespace lockstep {

constinit const DefinedOp equal_op(elementwise("equal", 1, no_gradient, [](auto a, auto b) { return a == b ? 1.0F : 0.0F; }));

Value equal(Value a, Value b) { return a.graph->add(equal_op, {}, {a, b}); }

}  // namespace lockstep
