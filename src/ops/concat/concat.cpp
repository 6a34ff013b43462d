#include "ops/concat/concat.hpp"

#include <fmt/format.h>

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// concat: tensors one after another along one axis.  parts [..., lengthᵢ, ...] → y [..., Σ lengthᵢ, ...], all of one type.
/// Attribute: axis (negative from the last).
/// Gradient: to each part its slice of g.
class ConcatOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "concat"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    if (in.empty()) {
      throw ShapeError("concat takes at least one operand");
    }
    const int axis = checked_axis(attrs.integer("axis"), in[0].shape, name());
    std::int64_t length = 0;
    for (const TensorType& part : in) {
      const bool fits = part.dtype == in[0].dtype && part.shape.rank() == in[0].shape.rank() &&
                        with_length(part.shape, axis, 1) == with_length(in[0].shape, axis, 1);
      if (!fits) {
        throw ShapeError(fmt::format("concat: {} and {} do not fit together along axis {}", in[0].str(), part.str(), axis));
      }
      length += part.shape[axis];
    }
    return {{with_length(in[0].shape, axis, length), in[0].dtype}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    const std::int64_t axis = call.attrs.integer("axis");
    std::vector<Value> result;
    std::int64_t begin = 0;
    for (const Value& part : call.inputs) {
      const std::int64_t end = begin + part.shape()[static_cast<int>(axis)];
      result.push_back(slice(call.grads[0], axis, begin, end));
      begin = end;
    }
    return result;
  }
};

}  // namespace

const Op& concat_op() {
  static const ConcatOp op;
  return op;
}

Value concat(const std::vector<Value>& parts, std::int64_t axis) {
  if (parts.empty()) {
    throw ShapeError("concat takes at least one operand");
  }
  return parts[0].graph->add(concat_op(), {{"axis", axis}}, parts);
}

}  // namespace lockstep
