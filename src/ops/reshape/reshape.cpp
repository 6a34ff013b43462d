#include "ops/reshape/reshape.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// reshape: the same elements in row-major order under another shape.  x [...] → y [shape], of any type.
/// Attribute: shape; one −1 stands for what is left over.
/// Gradient: g in the shape of x.
class ReshapeOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "reshape"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    if (in.size() != 1) {
      throw ShapeError(fmt::format("reshape takes 1 operand, not {}", in.size()));
    }
    std::vector<std::int64_t> dims = attrs.list("shape");
    std::int64_t known = 1, open = 0;
    for (const std::int64_t d : dims) {
      open += d == -1 ? 1 : 0;
      known *= d == -1 ? 1 : d;
    }
    const std::int64_t elements = in[0].elements();
    if (open > 1 || known < 1 || (open == 1 ? elements % known : elements - known) != 0) {
      throw ShapeError(fmt::format("reshape: {} cannot become {}", in[0].shape.str(), Shape(dims).str()));
    }
    std::replace(dims.begin(), dims.end(), std::int64_t{-1}, elements / known);
    return {{Shape(std::move(dims)), in[0].dtype}};
  }
  [[nodiscard]] bool view() const override { return true; }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    return {reshape(call.grads[0], call.inputs[0].shape())};
  }
};

}  // namespace

const Op& reshape_op() {
  static const ReshapeOp op;
  return op;
}

Value reshape(Value x, const Shape& shape) {
  return x.graph->add(reshape_op(), {{"shape", shape.dims()}}, {x});
}

Value flatten(Value x) {
  return reshape(x, {kBatch, static_cast<std::int64_t>(samples_of(x.shape()).length)});
}

}  // namespace lockstep
