#include "ops/pad/pad.hpp"

#include <fmt/format.h>

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// pad: zeros before and after along one axis.  x [..., length, ...] → y [..., before + length + after, ...], of any type.
/// Attributes: axis (negative from the last), before, after.
/// Gradient: the slice of g that stems from x.
class PadOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "pad"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    if (in.size() != 1) {
      throw ShapeError(fmt::format("pad takes 1 operand, not {}", in.size()));
    }
    const int axis = checked_axis(attrs.integer("axis"), in[0].shape, name());
    const std::int64_t before = attrs.integer("before"), after = attrs.integer("after");
    if (before < 0 || after < 0) {
      throw ShapeError(fmt::format("pad: {} zeros before and {} after: a number below 0", before, after));
    }
    return {{with_length(in[0].shape, axis, before + in[0].shape[axis] + after), in[0].dtype}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    const std::int64_t axis = call.attrs.integer("axis"), before = call.attrs.integer("before");
    return {slice(call.grads[0], axis, before, before + call.inputs[0].shape()[static_cast<int>(axis)])};
  }
};

}  // namespace

const Op& pad_op() {
  static const PadOp op;
  return op;
}

Value pad(Value x, std::int64_t axis, std::int64_t before, std::int64_t after) {
  if (before == 0 && after == 0) {
    return x;
  }
  return x.graph->add(pad_op(), {{"axis", axis}, {"before", before}, {"after", after}}, {x});
}

}  // namespace lockstep
