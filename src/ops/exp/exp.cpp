#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// exp: y = e^x, elementwise. x [...] → y [...], f32.
/// Gradient: g·y.
namespace lockstep {

constinit const DefinedOp exp_op(elementwise(
    "exp", 15, [](Value, Value y, Value g) { return mul(g, y); }, [](double x) { return std::exp(x); },
    [](float x) { return fast::exp(x); }));

Value exp(Value x) { return x.graph->add(exp_op, {}, {x}); }

}  // namespace lockstep
