#include "ops/random_normal/random_normal.hpp"

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// random_normal: y normal with mean 0 and deviation 1.  → y [shape], f32.
/// Attributes: shape (−1: the number of samples), name: keyed by (seed, name, step, place in the batch, element). No gradient.
/// Two words u, v in (0, 1] and [0, 1) give √(−2 ln u)·cos 2πv and √(−2 ln u)·sin 2πv (Box and Muller 1958); they serve the elements 16
/// apart that words 0 and 1, 2 and 3 of a counter belong to.
class RandomNormalOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "random_normal"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    if (!in.empty()) {
      throw ShapeError("random_normal takes no operands");
    }
    return {{batch_shape(attrs), DType::f32}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    static_cast<void>(call);
    return {};
  }
};

}  // namespace

const Op& random_normal_op() {
  static const RandomNormalOp op;
  return op;
}

Value random_normal(Graph& graph, const Shape& shape, const std::string& name) {
  return graph.add(random_normal_op(), {{"shape", shape.dims()}, {"name", name}}, {});
}

}  // namespace lockstep
