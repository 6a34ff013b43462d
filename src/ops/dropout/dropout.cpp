#include "ops/dropout/dropout.hpp"

#include <fmt/format.h>

#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// dropout: y = 0 with probability `rate`, else x / (1 − rate), each element by itself.  x [n, ...] → y [n, ...], f32.
/// Attributes: rate in [0, 1), name: the mask is keyed by (seed, name, step, place in the batch, element), so nothing is kept of it.
/// Gradient: dropout of g with the same mask.  Srivastava, Hinton, Krizhevsky, Sutskever, Salakhutdinov 2014.
class DropoutOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "dropout"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    check_operands(name(), in, {DType::f32});
    const double rate = attrs.real("rate");
    if (!(rate >= 0 && rate < 1)) {
      throw ShapeError(fmt::format("dropout '{}': the rate {} is not in [0, 1)", attrs.text("name"), rate));
    }
    return {in[0]};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override {
    return {call.graph.add(dropout_op(), call.attrs, {call.grads[0]})};
  }
};

}  // namespace

const Op& dropout_op() {
  static const DropoutOp op;
  return op;
}

Value dropout(Value x, double rate, const std::string& name) {
  return x.graph->add(dropout_op(), {{"rate", rate}, {"name", name}}, {x});
}

}  // namespace lockstep
