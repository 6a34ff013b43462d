#include "ops/transpose/transpose.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// transpose: axes in another order.  x [...] → y, of any type; axis i of y is axis permutation[i] of x.
/// Attribute: permutation.
/// Gradient: g with the axes back in their order.
class TransposeOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "transpose"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    if (in.size() != 1) {
      throw ShapeError(fmt::format("transpose takes 1 operand, not {}", in.size()));
    }
    const std::vector<std::int64_t>& permutation = attrs.list("permutation");
    std::vector<std::int64_t> sorted = permutation;
    std::sort(sorted.begin(), sorted.end());
    std::vector<std::int64_t> axes(in[0].shape.dims().size());
    std::iota(axes.begin(), axes.end(), 0);
    if (sorted != axes) {
      throw ShapeError(fmt::format("transpose: {} is no order of the axes of {}", Shape(permutation).str(), in[0].shape.str()));
    }
    std::vector<std::int64_t> dims;
    for (const std::int64_t axis : permutation) {
      dims.push_back(in[0].shape[static_cast<int>(axis)]);
    }
    return {{Shape(std::move(dims)), in[0].dtype}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    const std::vector<std::int64_t>& permutation = call.attrs.list("permutation");
    std::vector<std::int64_t> inverse(permutation.size());
    for (std::size_t i = 0; i < permutation.size(); ++i) {
      inverse[static_cast<std::size_t>(permutation[i])] = static_cast<std::int64_t>(i);
    }
    return {transpose(call.grads[0], inverse)};
  }
};

}  // namespace

const Op& transpose_op() {
  static const TransposeOp op;
  return op;
}

Value transpose(Value x, const std::vector<std::int64_t>& permutation) {
  return x.graph->add(transpose_op(), {{"permutation", permutation}}, {x});
}

}  // namespace lockstep
