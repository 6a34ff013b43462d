#include <algorithm>
#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// softplus: y = ln(1 + e^x), elementwise. x [...] → y [...], f32.
/// Gradient: g·sigmoid(x).
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) { return {mul(call.grads[0], sigmoid(call.inputs[0]))}; }

}  // namespace

const OpEntry& softplus_entry() {
  static const DefinedOp op(elementwise(
      "softplus", 40, gradient, [](double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); },
      [](float x) { return fast::softplus(x); }));
  return op.entry;
}

Value softplus(Value x) { return x.graph->add(softplus_op(), {}, {x}); }

}  // namespace lockstep
