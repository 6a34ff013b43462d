#include "ops/elementwise.hpp"

/// square: y = x², elementwise. x [...] → y [...], f32.
/// Gradient: 2·g·x.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) { return {mul(mul(call.grads[0], number(call.inputs[0], 2)), call.inputs[0])}; }

}  // namespace

const OpEntry& square_entry() {
  static const DefinedOp op(elementwise(
      "square", 1, gradient, [](double x) { return x * x; }, [](float x) { return x * x; }));
  return op.entry;
}

Value square(Value x) { return x.graph->add(square_op(), {}, {x}); }

}  // namespace lockstep
