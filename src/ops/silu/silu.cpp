#include "ops/silu/silu.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value s = sigmoid(call.inputs[0]), y = call.outputs[0];
  return {mul(call.grads[0], add(s, mul(y, sub(number(y, 1), s))))};
}

}  // namespace

/// silu: y = x·s with s = sigmoid(x), elementwise. x [...] → y [...], f32.
/// Gradient: g·(s + y·(1 − s)).
/// Elfwing, Uchibe, Doya 2017, arXiv 1702.03118 (also known as swish).
const Op& silu_op() {
  static const ElementwiseOp op("silu", 1, 19, gradient);
  return op;
}

Value silu(Value x) {
  return x.graph->add(silu_op(), {}, {x});
}

}  // namespace lockstep
