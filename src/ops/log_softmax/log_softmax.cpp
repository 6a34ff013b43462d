#include "ops/log_softmax/log_softmax.hpp"

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// log_softmax over the last axis:  y = x − max − ln Σ exp(x − max).  x [..., C] → y [..., C], f32.
/// Gradient: g − exp(y)·Σ g, the sum over the last axis.
class LogSoftmaxOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "log_softmax"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs&) const override {
    check_operands(name(), in, {DType::f32});
    return {in[0]};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    const Value g = call.grads[0];
    return {sub(g, mul(exp(call.outputs[0]), sum(g, {-1}, true)))};
  }
};

}  // namespace

const Op& log_softmax_op() {
  static const LogSoftmaxOp op;
  return op;
}

Value log_softmax(Value x) {
  return x.graph->add(log_softmax_op(), {}, {x});
}

}  // namespace lockstep
