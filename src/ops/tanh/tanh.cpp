#include "ops/tanh/tanh.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value y = call.outputs[0];
  return {mul(call.grads[0], sub(number(y, 1), square(y)))};
}

}  // namespace

/// tanh: y = (e^x − e^−x) / (e^x + e^−x), elementwise. x [...] → y [...], f32.
/// Gradient: g·(1 − y²).
const Op& tanh_op() {
  static const ElementwiseOp op("tanh", 1, 20, gradient);
  return op;
}

Value tanh(Value x) {
  return x.graph->add(tanh_op(), {}, {x});
}

}  // namespace lockstep
