#include "ops/batch_norm/batch_norm.hpp"

#include <fmt/format.h>

#include <numeric>

#include "lockstep/ops.hpp"
#include "ops/max_pool/window.hpp"

namespace lockstep {
namespace {

/// Throws ShapeError unless x is f32 [N, C, ...] and the operands after it are [C].
void require_channels(std::span<const TensorType> in, std::size_t per_channel, std::string_view op) {
  if (in[0].dtype != DType::f32 || in[0].shape.rank() < 2) {
    throw ShapeError(fmt::format("{}: x must be f32 [N, C, ...], not {}", op, in[0].str()));
  }
  const TensorType wanted{{in[0].shape[1]}, DType::f32};
  for (std::size_t i = 1; i <= per_channel; ++i) {
    if (in[i] != wanted) {
      throw ShapeError(fmt::format("{}: operand {} is {}, but x {} has {} channels", op, i, in[i].str(), in[0].str(), wanted.shape[0]));
    }
  }
}

class BatchNormForward final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "batch_norm"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs&) const override {
    require_channels(in, 2, name());
    return {in[0], in[1], in[1]};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    if (call.grads[1] || call.grads[2]) {
      throw UsageError("batch_norm: no gradient flows through its outputs mean and variance");
    }
    const Value dx = call.graph.add(batch_norm_backward_op(), {{"eps", call.attrs.real("eps")}},
                                    {call.inputs[0], call.inputs[1], call.outputs[1], call.outputs[2], call.grads[0]});
    return {dx, call.graph.output_of(dx, 1), call.graph.output_of(dx, 2)};
  }
  [[nodiscard]] std::vector<Value> expand(Graph& graph, std::span<const Value> in, const Attrs& attrs) const override {
    const Shape& shape = in[0].shape();
    std::vector<std::int64_t> axes(static_cast<std::size_t>(shape.rank() - 1)), dims(static_cast<std::size_t>(shape.rank()), 1);
    std::iota(axes.begin(), axes.end(), 1);
    axes[0] = 0;
    dims[1] = shape[1];
    const Shape per_channel(dims);
    const Value average = mean(in[0], axes, true);
    const Value centred = sub(in[0], average);
    const Value variance = mean(square(centred), axes, true);
    const Value normal = div(centred, sqrt(add(variance, graph.constant(attrs.real("eps")))));
    const Value y = add(mul(normal, reshape(in[1], per_channel)), reshape(in[2], per_channel));
    return {y, reshape(average, {shape[1]}), reshape(variance, {shape[1]})};
  }
};

class BatchNormBackward final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "batch_norm_backward"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs&) const override {
    require_channels(in, 3, name());
    if (in[4] != in[0]) {
      throw ShapeError(fmt::format("batch_norm_backward: the gradient is {}, x {}", in[4].str(), in[0].str()));
    }
    return {in[0], in[1], in[1]};
  }
};

}  // namespace

const Op& batch_norm_op() {
  static const BatchNormForward op;
  return op;
}
const Op& batch_norm_backward_op() {
  static const BatchNormBackward op;
  return op;
}

void batch_norm_layouts(KernelSpec& spec) {
  follow_layouts(spec);
}

BatchNorm batch_norm(Value x, Value gain, Value bias, double eps) {
  const Value y = x.graph->add(batch_norm_op(), {{"eps", eps}}, {x, gain, bias});
  return {y, x.graph->output_of(y, 1), x.graph->output_of(y, 2)};
}

}  // namespace lockstep
