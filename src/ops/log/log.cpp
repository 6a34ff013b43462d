#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// log: y = ln x, elementwise. x [...] → y [...], f32; −∞ at 0, NaN below.
/// Gradient: g/x.
namespace lockstep {

constinit const DefinedOp log_op(elementwise(
    "log", 20, [](Value x, Value, Value g) { return div(g, x); }, [](double x) { return std::log(x); },
    [](float x) { return fast::log(x); }));

Value log(Value x) { return x.graph->add(log_op, {}, {x}); }

}  // namespace lockstep
