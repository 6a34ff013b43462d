#include "ops/slice/slice.hpp"

#include <fmt/format.h>

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// slice: elements begin … end−1 of one axis.  x [..., length, ...] → y [..., end − begin, ...], of any type.
/// Attributes: axis (negative from the last), begin, end.
/// Gradient: g with zeros before and after.
class SliceOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "slice"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    if (in.size() != 1) {
      throw ShapeError(fmt::format("slice takes 1 operand, not {}", in.size()));
    }
    const int axis = checked_axis(attrs.integer("axis"), in[0].shape, name());
    const std::int64_t begin = attrs.integer("begin"), end = attrs.integer("end");
    if (begin < 0 || begin >= end || end > in[0].shape[axis]) {
      throw ShapeError(fmt::format("slice: there are no elements {} … {} along axis {} of {}", begin, end - 1, axis, in[0].shape.str()));
    }
    return {{with_length(in[0].shape, axis, end - begin), in[0].dtype}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    const std::int64_t axis = call.attrs.integer("axis"), length = call.inputs[0].shape()[static_cast<int>(axis)];
    return {pad(call.grads[0], axis, call.attrs.integer("begin"), length - call.attrs.integer("end"))};
  }
};

}  // namespace

const Op& slice_op() {
  static const SliceOp op;
  return op;
}

Value slice(Value x, std::int64_t axis, std::int64_t begin, std::int64_t end) {
  return x.graph->add(slice_op(), {{"axis", axis}, {"begin", begin}, {"end", end}}, {x});
}

}  // namespace lockstep
