#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// sigmoid: y = 1 / (1 + e^−x), elementwise. x [...] → y [...], f32.
/// Gradient: g·y·(1 − y).
namespace lockstep {

constinit const DefinedOp sigmoid_op(elementwise(
    "sigmoid", 18, [](Value, Value y, Value g) { return mul(g, mul(y, sub(number(y, 1), y))); },
    [](double x) { return 1 / (1 + std::exp(-x)); }, [](float x) { return fast::sigmoid(x); }));

Value sigmoid(Value x) { return x.graph->add(sigmoid_op, {}, {x}); }

}  // namespace lockstep
