#include "ops/random_uniform/random_uniform.hpp"

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// random_uniform: y uniform in [0, 1), multiples of 2^−24.  → y [shape], f32.
/// Attributes: shape (−1: the number of samples), name: keyed by (seed, name, step, place in the batch, element). No gradient.
class RandomUniformOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "random_uniform"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    if (!in.empty()) {
      throw ShapeError("random_uniform takes no operands");
    }
    return {{batch_shape(attrs), DType::f32}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall&) const override { return {}; }
};

}  // namespace

const Op& random_uniform_op() {
  static const RandomUniformOp op;
  return op;
}

Value random_uniform(Graph& graph, const Shape& shape, const std::string& name) {
  return graph.add(random_uniform_op(), {{"shape", shape.dims()}, {"name", name}}, {});
}

}  // namespace lockstep
