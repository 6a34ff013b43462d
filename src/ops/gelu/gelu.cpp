#include <numbers>

#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// gelu: y = x·Φ(x) with Φ(x) = (1 + erf(x/√2)) / 2, elementwise: the exact form, not the one by tanh. x [...] → y [...], f32.
/// Gradient: g·gelu_slope(x).
/// gelu_slope: y = Φ(x) + x·φ(x), φ(x) = exp(−x²/2) / √(2π). Gradient: g·(2 − x²)·φ(x).
/// Hendrycks, Gimpel 2016, arXiv 1606.08415.
namespace lockstep {
namespace {

const double kDensity = 1 / std::sqrt(2 * std::numbers::pi);

double distribution(double x) { return 0.5 * std::erfc(-x * std::sqrt(0.5)); }

}  // namespace

constinit const DefinedOp gelu_op(elementwise(
    "gelu", 34, [](Value x, Value, Value g) { return mul(g, x.graph->add(gelu_slope_op, {}, {x})); },
    [](double x) { return x * distribution(x); }, [](float x) { return fast::gelu(x); }));

constinit const DefinedOp gelu_slope_op(elementwise(
    "gelu_slope", 36,
    [](Value x, Value, Value g) {
      const Value square_of_x = square(x);
      const Value density = mul(exp(mul(square_of_x, number(x, -0.5))), number(x, kDensity));
      return mul(g, mul(sub(number(x, 2), square_of_x), density));
    },
    [](double x) { return distribution(x) + x * kDensity * std::exp(-0.5 * x * x); }, [](float x) { return fast::gelu_slope(x); }));

Value gelu(Value x) { return x.graph->add(gelu_op, {}, {x}); }

}  // namespace lockstep
