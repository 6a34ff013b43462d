#include "ops/gather/gather.hpp"

#include "lockstep/ops.hpp"
#include "ops/gather_backward/gather_backward.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// gather: rows of x along one axis, picked by number.  x [..., rows, ...], indexes i32 [k] → y [..., k, ...], of the type of x:
/// y[o, j, i] = x[o, indexes[j], i].  Attribute: axis (negative from the last). An index out of range throws DataError when it runs.
/// Gradient: gather_backward adds each row of g to the row of x that it came from.
class GatherOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "gather"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    if (in.size() != 2 || in[1].dtype != DType::i32 || in[1].shape.rank() != 1) {
      throw ShapeError("gather takes a tensor and i32 indexes of one axis");
    }
    return {{with_length(in[0].shape, checked_axis(attrs.integer("axis"), in[0].shape, name()), in[1].shape[0]), in[0].dtype}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    const int axis = static_cast<int>(call.attrs.integer("axis"));
    const Attrs attrs{{"axis", std::int64_t{axis}}, {"rows", call.inputs[0].shape()[axis]}};
    return {call.graph.add(gather_backward_op(), attrs, {call.inputs[1], call.grads[0]}), {}};
  }
};

}  // namespace

const Op& gather_op() {
  static const GatherOp op;
  return op;
}

Value gather(Value x, Value indexes, std::int64_t axis) {
  return x.graph->add(gather_op(), {{"axis", axis}}, {x, indexes});
}

}  // namespace lockstep
