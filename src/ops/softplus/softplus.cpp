#include "ops/softplus/softplus.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  return {mul(call.grads[0], sigmoid(call.inputs[0]))};
}

}  // namespace

/// softplus: y = ln(1 + e^x), elementwise. x [...] → y [...], f32.
/// Gradient: g·sigmoid(x).
const Op& softplus_op() {
  static const ElementwiseOp op("softplus", 1, 40, gradient);
  return op;
}

Value softplus(Value x) {
  return x.graph->add(softplus_op(), {}, {x});
}

}  // namespace lockstep
