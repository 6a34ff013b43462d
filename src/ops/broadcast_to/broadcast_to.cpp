#include "ops/broadcast_to/broadcast_to.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lockstep/ops.hpp"
#include "ops/elementwise.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// broadcast_to: x repeated as numpy's broadcasting does.  x → y [shape], f32.
/// Attribute: shape; −1 on the first axis stands for the number of samples.
/// Gradient: g summed over the axes along which x was repeated.
class BroadcastToOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "broadcast_to"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    check_operands(name(), in, {DType::f32});
    const Shape shape = batch_shape(attrs);
    if (broadcast(in[0].shape, shape, name()) != shape) {
      throw ShapeError(fmt::format("broadcast_to: {} does not broadcast to {}", in[0].shape.str(), shape.str()));
    }
    return {{shape, DType::f32}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    return {sum_to(call.grads[0], call.inputs[0].shape())};
  }
  /// Element i of the result is element i of the operand, broadcast to the result: a copy, tile by tile.
  [[nodiscard]] bool elementwise() const override { return true; }
};

}  // namespace

const Op& broadcast_to_op() {
  static const BroadcastToOp op;
  return op;
}

Value broadcast_to(Value x, const Shape& shape) {
  Attrs attrs{{"shape", shape.dims()}};
  if (std::find(shape.dims().begin(), shape.dims().end(), kBatch) != shape.dims().end()) {
    attrs.set("batch", x.graph->batch());  // the graph keeps it up to date
  }
  return x.graph->add(broadcast_to_op(), std::move(attrs), {x});
}

}  // namespace lockstep
