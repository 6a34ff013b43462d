#include "ops/elementwise.hpp"

/// div: y = a / b, elementwise. a, b broadcast as numpy's → y, f32.
/// Gradient: g/b and −g·y/b, summed over the axes along which an operand was broadcast.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value a = call.inputs[0], b = call.inputs[1];
  const Value ga = div(call.grads[0], b);
  return {sum_to(ga, a.shape()), neg(sum_to(mul(ga, call.outputs[0]), b.shape()))};
}

}  // namespace

const OpEntry& div_entry() {
  static const DefinedOp op(elementwise(
      "div", 1, gradient, [](double a, double b) { return a / b; }, [](float a, float b) { return a / b; }));
  return op.entry;
}

Value div(Value a, Value b) { return a.graph->add(div_op(), {}, {a, b}); }

}  // namespace lockstep
