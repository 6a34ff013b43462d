#include "ops/layer_norm/layer_norm.hpp"

#include <fmt/format.h>

#include "lockstep/ops.hpp"

namespace lockstep {
namespace {

/// The type of one number a row of x [..., C].
TensorType per_row(const TensorType& x) {
  return {Shape(std::vector<std::int64_t>(x.shape.dims().begin(), x.shape.dims().end() - 1)), DType::f32};
}

/// Throws ShapeError unless x is f32 [..., C] and operand `i` is `wanted`.
void require(std::span<const TensorType> in, std::size_t i, const TensorType& wanted, std::string_view op) {
  if (in[i] != wanted) {
    throw ShapeError(fmt::format("{}: operand {} is {}, but for x {} it must be {}", op, i, in[i].str(), in[0].str(), wanted.str()));
  }
}

TensorType last_axis(const TensorType& x, std::string_view op) {
  if (x.dtype != DType::f32 || x.shape.rank() < 1) {
    throw ShapeError(fmt::format("{}: x must be f32 [..., C], not {}", op, x.str()));
  }
  return {{x.shape[-1]}, DType::f32};
}

class LayerNorm final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "layer_norm"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs&) const override {
    const TensorType axis = last_axis(in[0], name());
    require(in, 1, axis, name());
    require(in, 2, axis, name());
    return {in[0], per_row(in[0]), per_row(in[0])};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    if (call.grads[1] || call.grads[2]) {
      throw UsageError("layer_norm: no gradient flows through its outputs mean and variance");
    }
    const Value dx = call.graph.add(layer_norm_backward_op(), {{"eps", call.attrs.real("eps")}},
                                    {call.inputs[0], call.inputs[1], call.outputs[1], call.outputs[2], call.grads[0]});
    return {dx, call.graph.output_of(dx, 1), call.graph.output_of(dx, 2)};
  }
  [[nodiscard]] std::vector<Value> expand(Graph& graph, std::span<const Value> in, const Attrs& attrs) const override {
    const Value average = mean(in[0], {-1}, true);
    const Value centred = sub(in[0], average);
    const Value variance = mean(square(centred), {-1}, true);
    const Value normal = div(centred, sqrt(add(variance, graph.constant(attrs.real("eps")))));
    const Shape rows = per_row(in[0].type()).shape;
    return {add(mul(normal, in[1]), in[2]), reshape(average, rows), reshape(variance, rows)};
  }
};

class LayerNormBackward final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "layer_norm_backward"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs&) const override {
    const TensorType axis = last_axis(in[0], name());
    require(in, 1, axis, name());
    require(in, 2, per_row(in[0]), name());
    require(in, 3, per_row(in[0]), name());
    require(in, 4, in[0], name());
    return {in[0], in[1], in[1]};
  }
};

}  // namespace

const Op& layer_norm_op() {
  static const LayerNorm op;
  return op;
}
const Op& layer_norm_backward_op() {
  static const LayerNormBackward op;
  return op;
}

Value layer_norm(Value x, Value gain, Value bias, double eps) {
  return x.graph->add(layer_norm_op(), {{"eps", eps}}, {x, gain, bias});
}

}  // namespace lockstep
