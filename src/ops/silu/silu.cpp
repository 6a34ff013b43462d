#include <cmath>

#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// silu: y = x·s with s = sigmoid(x), elementwise. x [...] → y [...], f32.
/// Gradient: g·(s + y·(1 − s)).
/// Elfwing, Uchibe, Doya 2017, arXiv 1702.03118 (also known as swish).
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value s = sigmoid(call.inputs[0]), y = call.outputs[0];
  return {mul(call.grads[0], add(s, mul(y, sub(number(y, 1), s))))};
}

}  // namespace

const OpEntry& silu_entry() {
  static const DefinedOp op(elementwise(
      "silu", 19, gradient, [](double x) { return x / (1 + std::exp(-x)); }, [](float x) { return x * fast::sigmoid(x); }));
  return op.entry;
}

Value silu(Value x) { return x.graph->add(silu_op(), {}, {x}); }

}  // namespace lockstep
