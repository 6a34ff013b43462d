#include <cmath>
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

std::vector<Value> gradient(const GradientCall& call) {
  const Value x = call.inputs[0];
  return {mul(call.grads[0], x.graph->add(gelu_slope_op(), {}, {x}))};
}

std::vector<Value> slope_gradient(const GradientCall& call) {
  const Value square_of_x = square(call.inputs[0]);
  const Value density = mul(exp(mul(square_of_x, number(square_of_x, -0.5))), number(square_of_x, kDensity));
  return {mul(call.grads[0], mul(sub(number(square_of_x, 2), square_of_x), density))};
}

}  // namespace

const OpEntry& gelu_entry() {
  static const DefinedOp op(elementwise(
      "gelu", 34, gradient, [](double x) { return x * distribution(x); }, [](float x) { return fast::gelu(x); }));
  return op.entry;
}

const OpEntry& gelu_slope_entry() {
  static const DefinedOp op(elementwise(
      "gelu_slope", 36, slope_gradient, [](double x) { return distribution(x) + x * kDensity * std::exp(-0.5 * x * x); },
      [](float x) { return fast::gelu_slope(x); }));
  return op.entry;
}

Value gelu(Value x) { return x.graph->add(gelu_op(), {}, {x}); }

}  // namespace lockstep
