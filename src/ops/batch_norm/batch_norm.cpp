#include "ops/batch_norm/batch_norm.hpp"

#include <fmt/format.h>

#include <numeric>

#include "ops/matmul/activation.hpp"

namespace lockstep {
namespace {

/// Throws ShapeError unless x is f32 [N, C, ...] and the operands after it are [C].
void require_channels(std::span<const TensorType> in, std::size_t per_channel, std::string_view op) {
  if (in[0].dtype != DType::f32 || in[0].shape.rank() < 2) {
    throw ShapeError(fmt::format("{}: x must be f32 [N, C, ...], not {}", op, in[0].str()));
  }
  const TensorType wanted{{in[0].shape[1]}, DType::f32};
  for (std::size_t i = 1; i <= per_channel; ++i) {
    require_operand(op, in, i, wanted);
  }
}

std::vector<TensorType> batch_norm_infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  require_channels(in, 2, op);
  if (in.size() > 3) {
    require_operand(op, in, 3, in[0]);
  }
  if (attrs.text_or(kActivation, "relu") != "relu") {
    throw UsageError(fmt::format("batch_norm: no kernel can fuse the activation '{}'", attrs.text(kActivation)));
  }
  return {in[0], in[1], in[1]};
}

std::vector<Value> batch_norm_gradient(const GradientCall& call) {
  require_no_activation(call.attrs, "batch_norm");
  return norm_gradient(call, batch_norm_op, batch_norm_backward_op);
}

std::vector<Value> batch_norm_expand(Graph&, std::span<const Value> in, const Attrs& attrs) {
  const Shape& shape = in[0].shape();
  std::vector<std::int64_t> axes(static_cast<std::size_t>(shape.rank() - 1)), dims(static_cast<std::size_t>(shape.rank()), 1);
  std::iota(axes.begin(), axes.end(), 1);
  axes[0] = 0;
  dims[1] = shape[1];
  const Shape per_channel(dims);
  const auto [mean, variance, normal] = normalised(in[0], axes, attrs);
  const Value y = add(mul(normal, reshape(in[1], per_channel)), reshape(in[2], per_channel));
  return {y, reshape(mean, {shape[1]}), reshape(variance, {shape[1]})};
}

std::vector<TensorType> batch_norm_backward_infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  require_channels(in, 3, op);
  require_operand(op, in, 4, in[0]);
  const Mask mask = mask_of(attrs);
  check_count(op, in, 5 + (mask == Mask::none ? 0 : 1) + (has_addend(attrs) ? 1 : 0));
  if (mask != Mask::none) {
    require_operand(op, in, 5, mask == Mask::own ? in[1] : in[0]);
  }
  require_operand(op, in, in.size() - 1, in.size() == 6 && mask == Mask::own ? in[1] : in[0]);
  std::vector<TensorType> out{in[0], in[1], in[1]};
  if (mask == Mask::tensor) {
    out.push_back(in[0]);
  }
  return out;
}

}  // namespace

Mask mask_of(const Attrs& attrs) {
  const std::string mask = attrs.text_or("mask", "none");
  return mask == "own" ? Mask::own : mask == "tensor" ? Mask::tensor : Mask::none;
}

bool has_addend(const Attrs& attrs) { return attrs.integer_or("addend", 0) != 0; }

void require_operand(std::string_view op, std::span<const TensorType> in, std::size_t i, const TensorType& wanted) {
  if (in[i] != wanted) {
    throw ShapeError(fmt::format("{}: operand {} is {}, but for x {} it must be {}", op, i, in[i].str(), in[0].str(), wanted.str()));
  }
}

std::vector<Value> norm_gradient(const GradientCall& call, const Op& forward, const Op& backward) {
  if (call.grads[1] || call.grads[2]) {
    throw UsageError(fmt::format("{}: no gradient flows through its outputs mean and variance", forward.name()));
  }
  const Value dx = call.graph.add(backward, {{"eps", call.attrs.real("eps")}},
                                  {call.inputs[0], call.inputs[1], call.outputs[1], call.outputs[2], call.grads[0]});
  return {dx, call.graph.output_of(dx, 1), call.graph.output_of(dx, 2)};
}

Normalised normalised(Value x, const std::vector<std::int64_t>& axes, const Attrs& attrs) {
  const Value average = mean(x, axes, true);
  const Value centred = sub(x, average);
  const Value variance = mean(square(centred), axes, true);
  return {average, variance, div(centred, sqrt(add(variance, x.graph->constant(attrs.real("eps")))))};
}

constinit const DefinedOp batch_norm_op({.name = "batch_norm",
                                         .infer = batch_norm_infer,
                                         .gradient = batch_norm_gradient,
                                         .expand = batch_norm_expand,
                                         .reference = batch_norm_reference,
                                         .cpu = batch_norm_cpu,
                                         .layouts = images_channels_last});

constinit const DefinedOp batch_norm_backward_op({.name = "batch_norm_backward",
                                                  .infer = batch_norm_backward_infer,
                                                  .reference = batch_norm_backward_reference,
                                                  .cpu = batch_norm_backward_cpu,
                                                  .layouts = images_channels_last});

BatchNorm batch_norm(Value x, Value gain, Value bias, double eps) {
  const Value y = x.graph->add(batch_norm_op, {{"eps", eps}}, {x, gain, bias});
  return {y, x.graph->output_of(y, 1), x.graph->output_of(y, 2)};
}

}  // namespace lockstep
