#include <cmath>
#include <numbers>

#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// gelu: y = x·Φ(x) with Φ(x) = (1 + erf(x/√2)) / 2, elementwise: the exact form, not the one by tanh. x [...] → y [...], f32.
/// Gradient: g·(Φ(x) + x·φ(x)), φ(x) = exp(−x²/2) / √(2π).
/// Hendrycks, Gimpel 2016, arXiv 1606.08415.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value x = call.inputs[0];
  const Value half = number(x, 0.5);
  const Value distribution = add(mul(erf(mul(x, number(x, std::sqrt(0.5)))), half), half);
  const Value density = mul(exp(neg(mul(square(x), half))), number(x, 1 / std::sqrt(2 * std::numbers::pi)));
  return {mul(call.grads[0], add(distribution, mul(x, density)))};
}

}  // namespace

const OpEntry& gelu_entry() {
  static const DefinedOp op(elementwise(
      "gelu", 34, gradient, [](double x) { return 0.5 * x * (1 + std::erf(x * std::sqrt(0.5))); },
      [](float x) { return 0.5F * x * (1.0F + fast::erf(x * 0.70710678F)); }));
  return op.entry;
}

Value gelu(Value x) { return x.graph->add(gelu_op(), {}, {x}); }

}  // namespace lockstep
