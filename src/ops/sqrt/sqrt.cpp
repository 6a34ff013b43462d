#include "ops/elementwise.hpp"

/// sqrt: y = √x, elementwise. x [...] → y [...], f32; NaN below 0.
/// Gradient: g/(2y).
namespace lockstep {

constinit const DefinedOp sqrt_op(elementwise(
    "sqrt", 1, [](Value x, Value y, Value g) { return div(mul(g, number(x, 0.5)), y); }, [](auto x) { return std::sqrt(x); }));

Value sqrt(Value x) { return x.graph->add(sqrt_op, {}, {x}); }

}  // namespace lockstep
