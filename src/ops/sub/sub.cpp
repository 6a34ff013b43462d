#include "ops/elementwise.hpp"

/// sub: y = a − b, elementwise. a, b broadcast as numpy's → y, f32.
/// Gradient: g and −g, summed over the axes along which an operand was broadcast.
namespace lockstep {

constinit const DefinedOp sub_op(elementwise(
    "sub", 1,
    [](Value a, Value b, Value, Value g) {
      return std::vector{sum_to(g, a.shape()), neg(sum_to(g, b.shape()))};
    },
    [](auto a, auto b) { return a - b; }));

Value sub(Value a, Value b) { return a.graph->add(sub_op, {}, {a, b}); }

}  // namespace lockstep
