#include "ops/log/log.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  return {div(call.grads[0], call.inputs[0])};
}

}  // namespace

/// log: y = ln x, elementwise. x [...] → y [...], f32; −∞ at 0, NaN below.
/// Gradient: g/x.
const Op& log_op() {
  static const ElementwiseOp op("log", 1, 20, gradient);
  return op;
}

Value log(Value x) {
  return x.graph->add(log_op(), {}, {x});
}

}  // namespace lockstep
