#include "ops/elementwise.hpp"

/// mul: y = a · b, elementwise. a, b broadcast as numpy's → y, f32.
/// Gradient: g·b and g·a, summed over the axes along which an operand was broadcast.
namespace lockstep {

constinit const DefinedOp mul_op(elementwise(
    "mul", 1,
    [](Value a, Value b, Value, Value g) {
      return std::vector{sum_to(mul(g, b), a.shape()), sum_to(mul(g, a), b.shape())};
    },
    [](auto a, auto b) { return a * b; }));

Value mul(Value a, Value b) { return a.graph->add(mul_op, {}, {a, b}); }

}  // namespace lockstep
