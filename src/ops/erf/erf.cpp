#include "ops/erf/erf.hpp"

#include <cmath>
#include <numbers>

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value x = call.inputs[0];
  return {mul(call.grads[0], mul(exp(neg(square(x))), number(x, 2 / std::sqrt(std::numbers::pi))))};
}

}  // namespace

/// erf: y = 2/√π ∫₀ˣ exp(−t²) dt, elementwise. x [...] → y [...], f32.
/// Gradient: g · 2/√π · exp(−x²).
const Op& erf_op() {
  static const ElementwiseOp op("erf", 1, 30, gradient);
  return op;
}

Value erf(Value x) {
  return x.graph->add(erf_op(), {}, {x});
}

}  // namespace lockstep
