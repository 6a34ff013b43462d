#include "ops/gather_backward/gather_backward.hpp"

#include <fmt/format.h>

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// gather_backward: rows of g added up where gather took them from.  indexes i32 [k], g [..., k, ...] → y [..., rows, ...], f32:
/// y[o, r, i] = Σ over j with indexes[j] = r of g[o, j, i], in the order of j.  Attributes: axis (negative from the last), rows.
/// Gradient: g gathered; none for the indexes.
class GatherBackwardOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "gather_backward"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    check_operands(name(), in, {DType::i32, DType::f32});
    const int axis = checked_axis(attrs.integer("axis"), in[1].shape, name());
    if (in[0].shape.rank() != 1 || in[0].shape[0] != in[1].shape[axis]) {
      throw ShapeError(fmt::format("gather_backward: the indexes {} do not belong to {}", in[0].shape.str(), in[1].shape.str()));
    }
    return {{with_length(in[1].shape, axis, attrs.integer("rows")), DType::f32}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    return {{}, gather(call.grads[0], call.inputs[0], call.attrs.integer("axis"))};
  }
};

}  // namespace

const Op& gather_backward_op() {
  static const GatherBackwardOp op;
  return op;
}

}  // namespace lockstep
