#include "ops/elementwise.hpp"

/// mul: y = a · b, elementwise. a, b broadcast as numpy's → y, f32.
/// Gradient: g·b and g·a, summed over the axes along which an operand was broadcast.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value g = call.grads[0], a = call.inputs[0], b = call.inputs[1];
  return {sum_to(mul(g, b), a.shape()), sum_to(mul(g, a), b.shape())};
}

}  // namespace

const OpEntry& mul_entry() {
  static const DefinedOp op(elementwise(
      "mul", 1, gradient, [](double a, double b) { return a * b; }, [](float a, float b) { return a * b; }));
  return op.entry;
}

Value mul(Value a, Value b) { return a.graph->add(mul_op(), {}, {a, b}); }

}  // namespace lockstep
