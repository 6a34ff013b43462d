#include <fmt/format.h>

#include "ops/max_pool/window.hpp"

/// The greatest element of each window, and the two ops of its gradient.
///
///   max_pool           x [N, C, H, W] → y [N, C, H', W'], index u8 [N, C, H', W']: the first greatest element's place in its window,
///                      row · window + column; padding counts as −∞, NaN as greatest. Windows of up to 16×16.
///   max_pool_backward  index, g [N, C, H', W'] → dx [N, C, H, W]: each g added where its window's greatest element was
///                      (attributes height, width)
///   max_pool_pick      index, x [N, C, H, W] → [N, C, H', W']: the element of each window that `index` names
///
/// The last two are linear, and each is the other's gradient. Attributes of all: window, stride, padding.
namespace lockstep {
namespace {

void require_index(const TensorType& index, const Windows& s, std::string_view op) {
  if (index != TensorType{s.y(), DType::u8}) {
    throw ShapeError(fmt::format("{}: the index is {}, not u8 {}", op, index.str(), s.y().str()));
  }
}

std::vector<TensorType> max_pool_infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  const Windows s = windows_on(in[0], attrs, op);
  if (s.window > 16) {
    throw ShapeError(fmt::format("max_pool: a window of {} is larger than 16; max over the axes does whole images", s.window));
  }
  return {{s.y(), DType::f32}, {s.y(), DType::u8}};
}

std::vector<Value> max_pool_gradient(const GradientCall& call) {
  return {call.graph.add(max_pool_backward_op, backward_attrs(call.attrs, call.inputs[0].shape()), {call.outputs[1], call.grads[0]})};
}

std::vector<TensorType> max_pool_backward_infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  const Windows s = windows_under(in[1], attrs, op);
  require_index(in[0], s, op);
  return {{s.x(), DType::f32}};
}

std::vector<Value> max_pool_backward_gradient(const GradientCall& call) {
  const Attrs attrs{
      {"window", call.attrs.integer("window")}, {"stride", call.attrs.integer("stride")}, {"padding", call.attrs.integer("padding")}};
  return {{}, call.graph.add(max_pool_pick_op, attrs, {call.inputs[0], call.grads[0]})};
}

std::vector<TensorType> max_pool_pick_infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  const Windows s = windows_on(in[1], attrs, op);
  require_index(in[0], s, op);
  return {{s.y(), DType::f32}};
}

std::vector<Value> max_pool_pick_gradient(const GradientCall& call) {
  return {{}, call.graph.add(max_pool_backward_op, backward_attrs(call.attrs, call.inputs[1].shape()), {call.inputs[0], call.grads[0]})};
}

}  // namespace

constinit const DefinedOp max_pool_op({.name = "max_pool",
                                       .infer = max_pool_infer,
                                       .gradient = max_pool_gradient,
                                       .reference = max_pool_reference,
                                       .cpu = max_pool_cpu,
                                       .layouts = images_channels_last});

constinit const DefinedOp max_pool_backward_op({.name = "max_pool_backward",
                                                .infer = max_pool_backward_infer,
                                                .gradient = max_pool_backward_gradient,
                                                .reference = max_pool_backward_reference,
                                                .cpu = max_pool_backward_cpu,
                                                .layouts = images_channels_last});

constinit const DefinedOp max_pool_pick_op({.name = "max_pool_pick",
                                            .infer = max_pool_pick_infer,
                                            .gradient = max_pool_pick_gradient,
                                            .reference = max_pool_pick_reference,
                                            .cpu = max_pool_pick_cpu,
                                            .layouts = images_channels_last});

Value max_pool(Value x, std::int64_t window, std::int64_t stride, std::int64_t padding) {
  return x.graph->add(max_pool_op, {{"window", window}, {"stride", stride}, {"padding", padding}}, {x});
}

}  // namespace lockstep
