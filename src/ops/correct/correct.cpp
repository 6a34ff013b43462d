#include "ops/correct/correct.hpp"

#include <fmt/format.h>

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// correct: y = 1 where the greatest logit (the first of equals) is the label's, else 0.
/// logits f32 [..., classes], labels i32 [...] → y f32 [...]. No gradient flows.
class CorrectOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "correct"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs&) const override {
    check_operands(name(), in, {DType::f32, DType::i32});
    std::vector<std::int64_t> dims = in[0].shape.dims();
    if (dims.empty() || std::vector(dims.begin(), dims.end() - 1) != in[1].shape.dims()) {
      throw ShapeError(fmt::format("correct: the labels {} do not belong to logits {}", in[1].shape.str(), in[0].shape.str()));
    }
    return {{in[1].shape, DType::f32}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall&) const override { return {Value{}, Value{}}; }
};

}  // namespace

const Op& correct_op() {
  static const CorrectOp op;
  return op;
}

Value correct(Value logits, Value labels) {
  return logits.graph->add(correct_op(), {}, {logits, labels});
}

}  // namespace lockstep
