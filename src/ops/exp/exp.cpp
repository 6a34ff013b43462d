#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// exp: y = e^x, elementwise. x [...] → y [...], f32.
/// Gradient: g·y.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) { return {mul(call.grads[0], call.outputs[0])}; }

}  // namespace

const OpEntry& exp_entry() {
  static const DefinedOp op(elementwise(
      "exp", 15, gradient, [](double x) { return std::exp(x); }, [](float x) { return fast::exp(x); }));
  return op.entry;
}

Value exp(Value x) { return x.graph->add(exp_op(), {}, {x}); }

}  // namespace lockstep
