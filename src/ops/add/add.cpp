#include "ops/add/add.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value g = call.grads[0];
  return {sum_to(g, call.inputs[0].shape()), sum_to(g, call.inputs[1].shape())};
}

}  // namespace

/// add: y = a + b, elementwise. a, b broadcast as numpy's → y, f32.
/// Gradient: g for both, summed over the axes along which an operand was broadcast.
const Op& add_op() {
  static const ElementwiseOp op("add", 2, 1, gradient);
  return op;
}

Value add(Value a, Value b) {
  return a.graph->add(add_op(), {}, {a, b});
}

}  // namespace lockstep
