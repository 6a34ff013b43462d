#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// softplus: y = ln(1 + e^x), elementwise. x [...] → y [...], f32.
/// Gradient: g·sigmoid(x).
namespace lockstep {

constinit const DefinedOp softplus_op(elementwise(
    "softplus", 40, [](Value x, Value, Value g) { return mul(g, sigmoid(x)); },
    [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }, [](float x) { return fast::softplus(x); }));

Value softplus(Value x) { return x.graph->add(softplus_op, {}, {x}); }

}  // namespace lockstep
