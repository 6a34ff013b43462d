#include "ops/softmax_cross_entropy_backward/softmax_cross_entropy_backward.hpp"

#include <fmt/format.h>

#include "lockstep/ops.hpp"
#include "ops/one_hot/one_hot.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// softmax_cross_entropy_backward: dx = (softmax(logits) − one_hot(label))·g.
/// logits f32 [..., classes], labels i32 [...], g f32 [...] → dx f32 [..., classes].
/// Gradient: none of its own; expand() writes it in primitive ops.
class SoftmaxCrossEntropyBackwardOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "softmax_cross_entropy_backward"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs&) const override {
    check_operands(name(), in, {DType::f32, DType::i32, DType::f32});
    std::vector<std::int64_t> dims = in[1].shape.dims();
    dims.push_back(in[0].shape[-1]);
    if (in[0].shape != Shape(std::move(dims)) || in[2].shape != in[1].shape) {
      throw ShapeError(
          fmt::format("softmax_cross_entropy_backward: {}, {} and {} do not belong together", in[0].str(), in[1].str(), in[2].str()));
    }
    return {in[0]};
  }
  [[nodiscard]] std::vector<Value> expand(Graph&, std::span<const Value> in, const Attrs&) const override {
    std::vector<std::int64_t> column = in[2].shape().dims();
    column.push_back(1);
    return {mul(sub(softmax(in[0]), one_hot(in[1], in[0].shape()[-1])), reshape(in[2], Shape(std::move(column))))};
  }
};

}  // namespace

const Op& softmax_cross_entropy_backward_op() {
  static const SoftmaxCrossEntropyBackwardOp op;
  return op;
}

}  // namespace lockstep
