#include <cmath>

#include "ops/elementwise.hpp"

/// maximum: y = max(a, b), elementwise. a, b broadcast as numpy's → y, f32. NaN if either is.
/// Gradient: to the greater operand; half to each where they are equal. Summed over the axes along which an operand was broadcast.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value g = call.grads[0], a = call.inputs[0], b = call.inputs[1];
  const Value half_tie = mul(equal(a, b), number(a, 0.5));
  return {sum_to(mul(g, add(step(sub(a, b)), half_tie)), a.shape()), sum_to(mul(g, add(step(sub(b, a)), half_tie)), b.shape())};
}

}  // namespace

const OpEntry& maximum_entry() {
  static const DefinedOp op(elementwise(
      "maximum", 1, gradient, [](double a, double b) { return a > b || std::isnan(a) ? a : b; },
      [](float a, float b) { return (a > b) | (a != a) ? a : b; }));
  return op.entry;
}

Value maximum(Value a, Value b) { return a.graph->add(maximum_op(), {}, {a, b}); }

}  // namespace lockstep
