#include "ops/elementwise.hpp"

/// relu: y = max(x, 0), elementwise; NaN stays NaN. x [...] → y [...], f32.
/// Gradient: g where y > 0, else 0: the input need not be kept.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) { return {mul(call.grads[0], step(call.outputs[0]))}; }

}  // namespace

const OpEntry& relu_entry() {
  static const DefinedOp op(elementwise(
      "relu", 1, gradient, [](double x) -> double { return x < 0 ? 0 : x; }, [](float x) { return x < 0.0F ? 0.0F : x; }));
  return op.entry;
}

Value relu(Value x) { return x.graph->add(relu_op(), {}, {x}); }

}  // namespace lockstep
