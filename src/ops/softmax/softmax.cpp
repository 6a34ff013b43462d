#include "ops/softmax/softmax.hpp"

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// softmax over the last axis:  y = exp(x − max) / Σ exp(x − max).  x [..., C] → y [..., C], f32.
/// Gradient: y·(g − Σ g·y), the sum over the last axis.
class SoftmaxOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "softmax"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs&) const override {
    check_operands(name(), in, {DType::f32});
    return {in[0]};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    const Value g = call.grads[0], y = call.outputs[0];
    return {mul(y, sub(g, sum(mul(g, y), {-1}, true)))};
  }
};

}  // namespace

const Op& softmax_op() {
  static const SoftmaxOp op;
  return op;
}

Value softmax(Value x) {
  return x.graph->add(softmax_op(), {}, {x});
}

}  // namespace lockstep
