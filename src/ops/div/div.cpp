#include "ops/elementwise.hpp"

/// div: y = a / b, elementwise. a, b broadcast as numpy's → y, f32.
/// Gradient: g/b and −g·y/b, summed over the axes along which an operand was broadcast.
namespace lockstep {

constinit const DefinedOp div_op(elementwise(
    "div", 1,
    [](Value a, Value b, Value y, Value g) {
      const Value ga = div(g, b);
      return std::vector{sum_to(ga, a.shape()), neg(sum_to(mul(ga, y), b.shape()))};
    },
    [](auto a, auto b) { return a / b; }));

Value div(Value a, Value b) { return a.graph->add(div_op, {}, {a, b}); }

}  // namespace lockstep
