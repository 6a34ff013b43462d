#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// tanh: y = (e^x − e^−x) / (e^x + e^−x), elementwise. x [...] → y [...], f32.
/// Gradient: g·(1 − y²).
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value y = call.outputs[0];
  return {mul(call.grads[0], sub(number(y, 1), square(y)))};
}

}  // namespace

const OpEntry& tanh_entry() {
  static const DefinedOp op(elementwise(
      "tanh", 20, gradient, [](double x) { return std::tanh(x); }, [](float x) { return fast::tanh(x); }));
  return op.entry;
}

Value tanh(Value x) { return x.graph->add(tanh_op(), {}, {x}); }

}  // namespace lockstep
