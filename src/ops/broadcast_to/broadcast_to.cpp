#include <fmt/format.h>

#include "ops/elementwise.hpp"

/// broadcast_to: x repeated as numpy's broadcasting does.  x → y [shape], f32.
/// Attribute: shape; −1 on the first axis stands for the number of samples.
/// Gradient: g summed over the axes along which x was repeated.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_operands(op, in, {DType::f32});
  const Shape shape = batch_shape(attrs);
  if (broadcast(in[0].shape, shape, op) != shape) {
    throw ShapeError(fmt::format("broadcast_to: {} does not broadcast to {}", in[0].shape.str(), shape.str()));
  }
  return {{shape, DType::f32}};
}

std::vector<Value> gradient(const GradientCall& call) { return {sum_to(call.grads[0], call.inputs[0].shape())}; }

void reference(const ReferenceCall& call) {
  StridedWalk place = broadcast_walk(call.in_types[0].shape, call.out_types[0].shape);
  for (double& y : call.out[0]) {
    y = call.in[0][place.index()];
    place.next();
  }
}

void tile(float* out, const float* const* in, std::size_t n, const Attrs&) {
  if (out != in[0]) {
    tile_unary(out, in, n, [](float x) { return x; });
  }
}

}  // namespace

constinit const DefinedOp broadcast_to_op(
    {.name = "broadcast_to", .infer = infer, .gradient = gradient, .reference = reference, .tile = tile});

Value broadcast_to(Value x, const Shape& shape) { return x.graph->add(broadcast_to_op, {{"shape", shape.dims()}}, {x}); }

}  // namespace lockstep
