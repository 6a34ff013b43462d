#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// log: y = ln x, elementwise. x [...] → y [...], f32; −∞ at 0, NaN below.
/// Gradient: g/x.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) { return {div(call.grads[0], call.inputs[0])}; }

}  // namespace

const OpEntry& log_entry() {
  static const DefinedOp op(elementwise(
      "log", 20, gradient, [](double x) { return std::log(x); }, [](float x) { return fast::log(x); }));
  return op.entry;
}

Value log(Value x) { return x.graph->add(log_op(), {}, {x}); }

}  // namespace lockstep
