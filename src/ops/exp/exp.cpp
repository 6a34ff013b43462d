#include "ops/exp/exp.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  return {mul(call.grads[0], call.outputs[0])};
}

}  // namespace

/// exp: y = e^x, elementwise. x [...] → y [...], f32.
/// Gradient: g·y.
const Op& exp_op() {
  static const ElementwiseOp op("exp", 1, 15, gradient);
  return op;
}

Value exp(Value x) {
  return x.graph->add(exp_op(), {}, {x});
}

}  // namespace lockstep
