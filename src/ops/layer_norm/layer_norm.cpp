#include <fmt/format.h>

#include "ops/batch_norm/batch_norm.hpp"

/// Normalisation of each row over the last axis. Ba, Kiros, Hinton 2016, arXiv 1607.06450.
///
///   layer_norm           x [..., C], gain [C], bias [C] → y = (x − mean) / sqrt(variance + eps) · gain + bias,
///                        mean [...], variance [...] (biased)
///   layer_norm_backward  x, gain, mean, variance, g [..., C] → dx, dgain, dbias. With x̂ the normalised x and u = g·gain:
///                        dbias = Σ g,  dgain = Σ g·x̂ over all rows;  dx = (u − (Σ u + x̂·Σ u·x̂) / C) / sqrt(variance + eps), Σ over the row
///
/// Attribute of both: eps. The outputs mean and variance are for the backward op; no gradient flows into them. For second derivatives
/// layer_norm expands into primitive ops.
namespace lockstep {
namespace {

/// The type of one number a row of x [..., C].
TensorType per_row(const TensorType& x) {
  return {Shape(std::vector<std::int64_t>(x.shape.dims().begin(), x.shape.dims().end() - 1)), DType::f32};
}

TensorType last_axis(const TensorType& x, std::string_view op) {
  if (x.dtype != DType::f32 || x.shape.rank() < 1) {
    throw ShapeError(fmt::format("{}: x must be f32 [..., C], not {}", op, x.str()));
  }
  return {{x.shape[-1]}, DType::f32};
}

std::vector<TensorType> layer_norm_infer(std::string_view op, std::span<const TensorType> in, const Attrs&) {
  const TensorType axis = last_axis(in[0], op);
  require_operand(op, in, 1, axis);
  require_operand(op, in, 2, axis);
  return {in[0], per_row(in[0]), per_row(in[0])};
}

std::vector<Value> layer_norm_gradient(const GradientCall& call) { return norm_gradient(call, layer_norm_op, layer_norm_backward_op); }

std::vector<Value> layer_norm_expand(Graph&, std::span<const Value> in, const Attrs& attrs) {
  const auto [mean, variance, normal] = normalised(in[0], {-1}, attrs);
  const Shape rows = per_row(in[0].type()).shape;
  return {add(mul(normal, in[1]), in[2]), reshape(mean, rows), reshape(variance, rows)};
}

std::vector<TensorType> layer_norm_backward_infer(std::string_view op, std::span<const TensorType> in, const Attrs&) {
  const TensorType axis = last_axis(in[0], op);
  require_operand(op, in, 1, axis);
  require_operand(op, in, 2, per_row(in[0]));
  require_operand(op, in, 3, per_row(in[0]));
  require_operand(op, in, 4, in[0]);
  return {in[0], in[1], in[1]};
}

}  // namespace

constinit const DefinedOp layer_norm_op({.name = "layer_norm",
                                         .infer = layer_norm_infer,
                                         .gradient = layer_norm_gradient,
                                         .expand = layer_norm_expand,
                                         .reference = layer_norm_reference,
                                         .cpu = layer_norm_cpu});

constinit const DefinedOp layer_norm_backward_op({.name = "layer_norm_backward",
                                                  .infer = layer_norm_backward_infer,
                                                  .reference = layer_norm_backward_reference,
                                                  .cpu = layer_norm_backward_cpu});

Value layer_norm(Value x, Value gain, Value bias, double eps) { return x.graph->add(layer_norm_op, {{"eps", eps}}, {x, gain, bias}); }

}  // namespace lockstep
