#include "ops/softmax_cross_entropy/softmax_cross_entropy.hpp"

#include <fmt/format.h>

#include "lockstep/ops.hpp"
#include "ops/one_hot/one_hot.hpp"
#include "ops/shapes.hpp"
#include "ops/softmax_cross_entropy_backward/softmax_cross_entropy_backward.hpp"

namespace lockstep {
namespace {

/// softmax_cross_entropy: y = −ln softmax(logits)[label].  logits f32 [..., classes], labels i32 [...] → y f32 [...], one number a label.
/// A label out of range throws DataError when it runs.
/// Gradient: softmax_cross_entropy_backward, (softmax(logits) − one_hot(label))·g; none for the labels.
class SoftmaxCrossEntropyOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "softmax_cross_entropy"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs&) const override {
    check_operands(name(), in, {DType::f32, DType::i32});
    std::vector<std::int64_t> dims = in[0].shape.dims();
    if (dims.empty() || std::vector(dims.begin(), dims.end() - 1) != in[1].shape.dims()) {
      throw ShapeError(
          fmt::format("softmax_cross_entropy: the labels {} do not belong to logits {}", in[1].shape.str(), in[0].shape.str()));
    }
    return {{in[1].shape, DType::f32}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    const std::vector<Value> operands{call.inputs[0], call.inputs[1], call.grads[0]};
    return {call.graph.add(softmax_cross_entropy_backward_op(), {}, operands), {}};
  }
  [[nodiscard]] std::vector<Value> expand(Graph&, std::span<const Value> in, const Attrs&) const override {
    return {neg(sum(mul(log_softmax(in[0]), one_hot(in[1], in[0].shape()[-1])), {-1}))};
  }
};

}  // namespace

const Op& softmax_cross_entropy_op() {
  static const SoftmaxCrossEntropyOp op;
  return op;
}

Value softmax_cross_entropy(Value logits, Value labels) {
  return logits.graph->add(softmax_cross_entropy_op(), {}, {logits, labels});
}

}  // namespace lockstep
