#include "ops/relu/relu.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  return {mul(call.grads[0], step(call.outputs[0]))};
}

}  // namespace

/// relu: y = max(x, 0), elementwise; NaN stays NaN. x [...] → y [...], f32.
/// Gradient: g where y > 0, else 0: the input need not be kept.
const Op& relu_op() {
  static const ElementwiseOp op("relu", 1, 1, gradient);
  return op;
}

Value relu(Value x) {
  return x.graph->add(relu_op(), {}, {x});
}

}  // namespace lockstep
