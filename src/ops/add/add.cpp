#include "ops/elementwise.hpp"

/// add: y = a + b, elementwise. a, b broadcast as numpy's → y, f32.
/// Gradient: g for both, summed over the axes along which an operand was broadcast.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value g = call.grads[0];
  return {sum_to(g, call.inputs[0].shape()), sum_to(g, call.inputs[1].shape())};
}

}  // namespace

const OpEntry& add_entry() {
  static const DefinedOp op(elementwise(
      "add", 1, gradient, [](double a, double b) { return a + b; }, [](float a, float b) { return a + b; }));
  return op.entry;
}

Value add(Value a, Value b) { return a.graph->add(add_op(), {}, {a, b}); }

}  // namespace lockstep
