#include "ops/elementwise.hpp"

/// sub: y = a − b, elementwise. a, b broadcast as numpy's → y, f32.
/// Gradient: g and −g, summed over the axes along which an operand was broadcast.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value g = call.grads[0];
  return {sum_to(g, call.inputs[0].shape()), neg(sum_to(g, call.inputs[1].shape()))};
}

}  // namespace

const OpEntry& sub_entry() {
  static const DefinedOp op(elementwise(
      "sub", 1, gradient, [](double a, double b) { return a - b; }, [](float a, float b) { return a - b; }));
  return op.entry;
}

Value sub(Value a, Value b) { return a.graph->add(sub_op(), {}, {a, b}); }

}  // namespace lockstep
