#include "ops/sigmoid/sigmoid.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value y = call.outputs[0];
  return {mul(call.grads[0], mul(y, sub(number(y, 1), y)))};
}

}  // namespace

/// sigmoid: y = 1 / (1 + e^−x), elementwise. x [...] → y [...], f32.
/// Gradient: g·y·(1 − y).
const Op& sigmoid_op() {
  static const ElementwiseOp op("sigmoid", 1, 18, gradient);
  return op;
}

Value sigmoid(Value x) {
  return x.graph->add(sigmoid_op(), {}, {x});
}

}  // namespace lockstep
