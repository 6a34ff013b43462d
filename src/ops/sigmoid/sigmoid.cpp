#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// sigmoid: y = 1 / (1 + e^−x), elementwise. x [...] → y [...], f32.
/// Gradient: g·y·(1 − y).
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value y = call.outputs[0];
  return {mul(call.grads[0], mul(y, sub(number(y, 1), y)))};
}

}  // namespace

const OpEntry& sigmoid_entry() {
  static const DefinedOp op(elementwise(
      "sigmoid", 18, gradient, [](double x) { return 1 / (1 + std::exp(-x)); }, [](float x) { return fast::sigmoid(x); }));
  return op.entry;
}

Value sigmoid(Value x) { return x.graph->add(sigmoid_op(), {}, {x}); }

}  // namespace lockstep
