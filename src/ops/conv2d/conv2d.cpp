#include "ops/conv2d/conv2d.hpp"

#include <fmt/format.h>

#include "ops/matmul/activation.hpp"

namespace lockstep {
namespace {

[[noreturn]] void refuse(std::string_view op, std::span<const TensorType> in, std::string_view why) {
  std::string operands;
  for (const TensorType& type : in) {
    operands += (operands.empty() ? "" : ", ") + type.str();
  }
  throw ShapeError(fmt::format("{}: the operands {} do not fit: {}", op, operands, why));
}

void require_rank_4(std::string_view op, std::span<const TensorType> in) {
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i].dtype != DType::f32 || (i < 2 && in[i].shape.rank() != 4)) {
      refuse(op, in, "needs f32 of rank 4");
    }
  }
}

/// Fills in the lengths that follow from the others; `g`: the gradient, of the shape of y, that one of the operands is.
ConvSizes completed(std::string_view op, std::span<const TensorType> in, const Attrs& attrs, ConvSizes s, const Shape* g = nullptr) {
  s.stride = attrs.integer("stride");
  s.padding = attrs.integer("padding");
  if (s.stride < 1 || s.padding < 0) {
    refuse(op, in, fmt::format("stride {} must be at least 1 and padding {} at least 0", s.stride, s.padding));
  }
  if (s.h + 2 * s.padding < s.kh || s.w + 2 * s.padding < s.kw) {
    refuse(op, in,
           fmt::format("the kernel {}×{} is larger than the padded input {}×{}", s.kh, s.kw, s.h + 2 * s.padding, s.w + 2 * s.padding));
  }
  s.oh = (s.h + 2 * s.padding - s.kh) / s.stride + 1;
  s.ow = (s.w + 2 * s.padding - s.kw) / s.stride + 1;
  if (g != nullptr && *g != s.y().shape) {
    refuse(op, in, fmt::format("the gradient must be {}", s.y().shape.str()));
  }
  return s;
}

/// The cost of any of the three ops, whose lengths `kSizes` finds.
template <ConvSizes (*kSizes)(std::span<const TensorType>, const Attrs&)>
void conv_cost(Cost& cost, std::span<const TensorType> in, const Attrs& attrs) {
  const ConvSizes s = kSizes(in, attrs);
  cost.flops = 2.0 * static_cast<double>(s.y().elements()) * static_cast<double>(s.c * s.kh * s.kw);
}

Value backward_data(Value g, Value weight, const Attrs& attrs, const Shape& x) {
  return g.graph->add(conv2d_backward_data_op,
                      {{"stride", attrs.integer("stride")}, {"padding", attrs.integer("padding")}, {"height", x[2]}, {"width", x[3]}},
                      {g, weight});
}

Value backward_weights(Value x, Value g, const Attrs& attrs, const Shape& weight) {
  return x.graph->add(conv2d_backward_weights_op,
                      {{"stride", attrs.integer("stride")},
                       {"padding", attrs.integer("padding")},
                       {"kernel_height", weight[2]},
                       {"kernel_width", weight[3]}},
                      {x, g});
}

/// `infer` of any of the three: the tensor `kResult` of the lengths that `kSizes` finds.
template <auto kSizes, auto kResult>
std::vector<TensorType> conv_infer(std::string_view, std::span<const TensorType> in, const Attrs& attrs) {
  return {(kSizes(in, attrs).*kResult)()};
}

std::vector<Value> conv2d_gradient(const GradientCall& call) {
  require_no_activation(call.attrs, "conv2d");
  const Value x = call.inputs[0], weight = call.inputs[1], g = call.grads[0];
  std::vector<Value> result{backward_data(g, weight, call.attrs, x.shape()), backward_weights(x, g, call.attrs, weight.shape())};
  if (call.inputs.size() > 2) {
    result.push_back(sum(g, {0, 2, 3}));
  }
  return result;
}

std::vector<Value> conv2d_backward_data_gradient(const GradientCall& call) {
  const Value g = call.inputs[0], weight = call.inputs[1], u = call.grads[0];
  return {conv2d(u, weight, {}, call.attrs.integer("stride"), call.attrs.integer("padding")),
          backward_weights(u, g, call.attrs, weight.shape())};
}

std::vector<Value> conv2d_backward_weights_gradient(const GradientCall& call) {
  const Value x = call.inputs[0], g = call.inputs[1], u = call.grads[0];
  return {backward_data(g, u, call.attrs, x.shape()), conv2d(x, u, {}, call.attrs.integer("stride"), call.attrs.integer("padding"))};
}

}  // namespace

ConvSizes conv2d_sizes(std::span<const TensorType> in, const Attrs& attrs) {
  require_rank_4("conv2d", in);
  const Shape &x = in[0].shape, &w = in[1].shape;
  if (x[1] != w[1]) {
    refuse("conv2d", in, fmt::format("the input has {} channels, the weights {}", x[1], w[1]));
  }
  if (in.size() > 2 && in[2].shape != Shape{w[0]}) {
    refuse("conv2d", in, fmt::format("the bias must be [{}]", w[0]));
  }
  return completed("conv2d", in, attrs, {.n = x[0], .c = x[1], .h = x[2], .w = x[3], .o = w[0], .kh = w[2], .kw = w[3]});
}

ConvSizes conv2d_backward_data_sizes(std::span<const TensorType> in, const Attrs& attrs) {
  require_rank_4("conv2d_backward_data", in);
  const Shape &g = in[0].shape, &w = in[1].shape;
  return completed("conv2d_backward_data", in, attrs,
                   {.n = g[0], .c = w[1], .h = attrs.integer("height"), .w = attrs.integer("width"), .o = w[0], .kh = w[2], .kw = w[3]},
                   &g);
}

ConvSizes conv2d_backward_weights_sizes(std::span<const TensorType> in, const Attrs& attrs) {
  require_rank_4("conv2d_backward_weights", in);
  const Shape &x = in[0].shape, &g = in[1].shape;
  return completed(
      "conv2d_backward_weights", in, attrs,
      {.n = x[0], .c = x[1], .h = x[2], .w = x[3], .o = g[1], .kh = attrs.integer("kernel_height"), .kw = attrs.integer("kernel_width")},
      &g);
}

constinit const DefinedOp conv2d_op({.name = "conv2d",
                                     .infer = conv_infer<conv2d_sizes, &ConvSizes::y>,
                                     .gradient = conv2d_gradient,
                                     .cost = conv_cost<conv2d_sizes>,
                                     .reference = conv2d_reference,
                                     .cpu = conv2d_cpu,
                                     .layouts = conv2d_layouts});

constinit const DefinedOp conv2d_backward_data_op({.name = "conv2d_backward_data",
                                                   .infer = conv_infer<conv2d_backward_data_sizes, &ConvSizes::x>,
                                                   .gradient = conv2d_backward_data_gradient,
                                                   .cost = conv_cost<conv2d_backward_data_sizes>,
                                                   .reference = conv2d_backward_data_reference,
                                                   .cpu = conv2d_backward_data_cpu,
                                                   .layouts = conv2d_layouts});

constinit const DefinedOp conv2d_backward_weights_op({.name = "conv2d_backward_weights",
                                                      .infer = conv_infer<conv2d_backward_weights_sizes, &ConvSizes::weight>,
                                                      .gradient = conv2d_backward_weights_gradient,
                                                      .cost = conv_cost<conv2d_backward_weights_sizes>,
                                                      .reference = conv2d_backward_weights_reference,
                                                      .cpu = conv2d_backward_weights_cpu,
                                                      .layouts = conv2d_backward_weights_layouts});

Value conv2d(Value x, Value weight, Value bias, std::int64_t stride, std::int64_t padding) {
  std::vector<Value> inputs{x, weight};
  if (bias) {
    inputs.push_back(bias);
  }
  return x.graph->add(conv2d_op, {{"stride", stride}, {"padding", padding}}, inputs);
}

}  // namespace lockstep
