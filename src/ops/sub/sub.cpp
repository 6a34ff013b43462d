#include "ops/sub/sub.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value g = call.grads[0];
  return {sum_to(g, call.inputs[0].shape()), neg(sum_to(g, call.inputs[1].shape()))};
}

}  // namespace

/// sub: y = a − b, elementwise. a, b broadcast as numpy's → y, f32.
/// Gradient: g and −g, summed over the axes along which an operand was broadcast.
const Op& sub_op() {
  static const ElementwiseOp op("sub", 2, 1, gradient);
  return op;
}

Value sub(Value a, Value b) {
  return a.graph->add(sub_op(), {}, {a, b});
}

}  // namespace lockstep
