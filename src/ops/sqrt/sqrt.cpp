#include <cmath>

#include "ops/elementwise.hpp"

/// sqrt: y = √x, elementwise. x [...] → y [...], f32; NaN below 0.
/// Gradient: g/(2y).
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) { return {div(mul(call.grads[0], number(call.inputs[0], 0.5)), call.outputs[0])}; }

}  // namespace

const OpEntry& sqrt_entry() {
  static const DefinedOp op(elementwise(
      "sqrt", 1, gradient, [](double x) { return std::sqrt(x); }, [](float x) { return std::sqrt(x); }));
  return op.entry;
}

Value sqrt(Value x) { return x.graph->add(sqrt_op(), {}, {x}); }

}  // namespace lockstep
