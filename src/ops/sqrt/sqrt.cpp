#include "ops/sqrt/sqrt.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  return {div(mul(call.grads[0], number(call.inputs[0], 0.5)), call.outputs[0])};
}

}  // namespace

/// sqrt: y = √x, elementwise. x [...] → y [...], f32; NaN below 0.
/// Gradient: g/(2y).
const Op& sqrt_op() {
  static const ElementwiseOp op("sqrt", 1, 1, gradient);
  return op;
}

Value sqrt(Value x) {
  return x.graph->add(sqrt_op(), {}, {x});
}

}  // namespace lockstep
