#include "ops/elementwise.hpp"

/// square: y = x², elementwise. x [...] → y [...], f32.
/// Gradient: 2·g·x.
namespace lockstep {

constinit const DefinedOp square_op(elementwise(
    "square", 1, [](Value x, Value, Value g) { return mul(mul(g, number(x, 2)), x); }, [](auto x) { return x * x; }));

Value square(Value x) { return x.graph->add(square_op, {}, {x}); }

}  // namespace lockstep
