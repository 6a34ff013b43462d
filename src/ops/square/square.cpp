#include "ops/square/square.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  return {mul(mul(call.grads[0], number(call.inputs[0], 2)), call.inputs[0])};
}

}  // namespace

/// square: y = x², elementwise. x [...] → y [...], f32.
/// Gradient: 2·g·x.
const Op& square_op() {
  static const ElementwiseOp op("square", 1, 1, gradient);
  return op;
}

Value square(Value x) {
  return x.graph->add(square_op(), {}, {x});
}

}  // namespace lockstep
