#include "ops/mean_squared_error/mean_squared_error.hpp"

#include <fmt/format.h>

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// mean_squared_error: y_i = mean over all but the first axis of (x − t)²: one number a sample.  x, t f32 [n, ...] → y f32 [n].
/// Gradient, m numbers a sample: g·2(x − t)/m for x, the opposite for t.
class MeanSquaredErrorOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "mean_squared_error"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs&) const override {
    check_operands(name(), in, {DType::f32, DType::f32});
    if (in[0].shape != in[1].shape || in[0].shape.rank() == 0) {
      throw ShapeError(fmt::format("mean_squared_error: {} and {} must have one shape, with samples along the first axis",
                                   in[0].shape.str(), in[1].shape.str()));
    }
    return {{{in[0].shape[0]}, DType::f32}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    const Value x = call.inputs[0], t = call.inputs[1];
    std::vector<std::int64_t> column(x.shape().dims().size(), 1);
    column[0] = x.shape()[0];
    const Value scaled = mul(call.grads[0], call.graph.constant(2.0 / static_cast<double>(samples_of(x.shape()).length)));
    const Value gradient = mul(sub(x, t), reshape(scaled, Shape(std::move(column))));
    return {gradient, neg(gradient)};
  }
};

}  // namespace

const Op& mean_squared_error_op() {
  static const MeanSquaredErrorOp op;
  return op;
}

Value mean_squared_error(Value y, Value target) {
  return y.graph->add(mean_squared_error_op(), {}, {y, target});
}

}  // namespace lockstep
