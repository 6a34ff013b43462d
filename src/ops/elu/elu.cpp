#include "ops/elu/elu.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value x = call.inputs[0], y = call.outputs[0];
  const Value positive = step(x);
  const Value slope = add(y, number(y, call.attrs.real("alpha")));
  return {mul(call.grads[0], add(positive, mul(sub(number(x, 1), positive), slope)))};
}

}  // namespace

/// elu: y = x where x > 0, else α·(e^x − 1), elementwise. x [...] → y [...], f32. Attribute: alpha.
/// Gradient: g where x > 0, else g·(y + α).
/// Clevert, Unterthiner, Hochreiter 2016, arXiv 1511.07289.
const Op& elu_op() {
  static const ElementwiseOp op("elu", 1, 16, gradient);
  return op;
}

Value elu(Value x, double alpha) {
  return x.graph->add(elu_op(), {{"alpha", alpha}}, {x});
}

}  // namespace lockstep
