#include <numbers>

#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// erf: y = 2/√π ∫₀ˣ exp(−t²) dt, elementwise. x [...] → y [...], f32.
/// Gradient: g · 2/√π · exp(−x²).
namespace lockstep {

constinit const DefinedOp erf_op(elementwise(
    "erf", 30, [](Value x, Value, Value g) { return mul(g, mul(exp(neg(square(x))), number(x, 2 / std::sqrt(std::numbers::pi)))); },
    [](double x) { return std::erf(x); }, [](float x) { return fast::erf(x); }));

Value erf(Value x) { return x.graph->add(erf_op, {}, {x}); }

}  // namespace lockstep
