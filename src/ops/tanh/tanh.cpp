#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// tanh: y = (e^x − e^−x) / (e^x + e^−x), elementwise. x [...] → y [...], f32.
/// Gradient: g·(1 − y²).
namespace lockstep {

constinit const DefinedOp tanh_op(elementwise(
    "tanh", 20, [](Value, Value y, Value g) { return mul(g, sub(number(y, 1), square(y))); }, [](double x) { return std::tanh(x); },
    [](float x) { return fast::tanh(x); }));

Value tanh(Value x) { return x.graph->add(tanh_op, {}, {x}); }

}  // namespace lockstep
