#include <cmath>
#include <numbers>

#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// erf: y = 2/√π ∫₀ˣ exp(−t²) dt, elementwise. x [...] → y [...], f32.
/// Gradient: g · 2/√π · exp(−x²).
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value x = call.inputs[0];
  return {mul(call.grads[0], mul(exp(neg(square(x))), number(x, 2 / std::sqrt(std::numbers::pi))))};
}

}  // namespace

const OpEntry& erf_entry() {
  static const DefinedOp op(elementwise(
      "erf", 30, gradient, [](double x) { return std::erf(x); }, [](float x) { return fast::erf(x); }));
  return op.entry;
}

Value erf(Value x) { return x.graph->add(erf_op(), {}, {x}); }

}  // namespace lockstep
