#include "ops/step/step.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall&) {
  return {Value{}};
}

}  // namespace

/// step: y = 1 where x > 0, else 0, elementwise. x [...] → y [...], f32.
/// No gradient flows.
const Op& step_op() {
  static const ElementwiseOp op("step", 1, 1, gradient);
  return op;
}

Value step(Value x) {
  return x.graph->add(step_op(), {}, {x});
}

}  // namespace lockstep
