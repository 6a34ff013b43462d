#include "ops/one_hot/one_hot.hpp"

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// one_hot: y[..., c] = 1 where c is the label, else 0.  labels i32 [...] → y f32 [..., classes].  Attribute: classes.
/// A label out of range throws DataError when it runs. No gradient flows.
class OneHotOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "one_hot"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    check_operands(name(), in, {DType::i32});
    if (attrs.integer("classes") < 1) {
      throw ShapeError("one_hot: at least one class is needed");
    }
    std::vector<std::int64_t> dims = in[0].shape.dims();
    dims.push_back(attrs.integer("classes"));
    return {{Shape(std::move(dims)), DType::f32}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall&) const override { return {Value{}}; }
};

}  // namespace

const Op& one_hot_op() {
  static const OneHotOp op;
  return op;
}

Value one_hot(Value labels, std::int64_t classes) {
  return labels.graph->add(one_hot_op(), {{"classes", classes}}, {labels});
}

}  // namespace lockstep
