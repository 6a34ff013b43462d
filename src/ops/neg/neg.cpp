#include "ops/neg/neg.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  return {neg(call.grads[0])};
}

}  // namespace

/// neg: y = −x, elementwise. x [...] → y [...], f32.
/// Gradient: −g.
const Op& neg_op() {
  static const ElementwiseOp op("neg", 1, 1, gradient);
  return op;
}

Value neg(Value x) {
  return x.graph->add(neg_op(), {}, {x});
}

}  // namespace lockstep
