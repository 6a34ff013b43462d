#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// elu: y = x where x > 0, else α·(e^x − 1), elementwise. x [...] → y [...], f32. Attribute: alpha.
/// Gradient: g where x > 0, else g·(y + α).
/// Clevert, Unterthiner, Hochreiter 2016, arXiv 1511.07289.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value x = call.inputs[0], y = call.outputs[0];
  const Value positive = step(x);
  const Value slope = add(y, number(y, call.attrs.real("alpha")));
  return {mul(call.grads[0], add(positive, mul(sub(number(x, 1), positive), slope)))};
}

void reference(const ReferenceCall& call) {
  const double alpha = call.attrs.real("alpha");
  reference_unary(call, [alpha](double x) { return x > 0 ? x : alpha * std::expm1(x); });
}

void tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs) {
  const auto alpha = static_cast<float>(attrs.real("alpha"));
  tile_unary(out, in, n, [alpha](float x) { return x > 0.0F ? x : alpha * fast::expm1(x); });
}

}  // namespace

constinit const DefinedOp elu_op(
    {.name = "elu", .infer = elementwise_infer<1>, .gradient = gradient, .flops = 16, .reference = reference, .tile = tile});

Value elu(Value x, double alpha) { return x.graph->add(elu_op, {{"alpha", alpha}}, {x}); }

}  // namespace lockstep
