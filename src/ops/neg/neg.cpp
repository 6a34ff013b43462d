#include "ops/elementwise.hpp"

/// neg: y = −x, elementwise. x [...] → y [...], f32.
/// Gradient: −g.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) { return {neg(call.grads[0])}; }

}  // namespace

const OpEntry& neg_entry() {
  static const DefinedOp op(elementwise(
      "neg", 1, gradient, [](double x) { return -x; }, [](float x) { return -x; }));
  return op.entry;
}

Value neg(Value x) { return x.graph->add(neg_op(), {}, {x}); }

}  // namespace lockstep
