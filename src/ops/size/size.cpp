#include "ops/size/size.hpp"

#include <fmt/format.h>

#include "lockstep/ops.hpp"

namespace lockstep {
namespace {

/// size: how many elements x has along some axes, as a number. x [...] (any dtype, not read), attr axes → f32 [].
/// Written as an op since the number of samples is known only when a graph is made for a lane's size. No gradient flows.
class SizeOp final : public Op {
 public:
  [[nodiscard]] std::string_view name() const override { return "size"; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override {
    if (in.size() != 1) {
      throw ShapeError(fmt::format("size: takes one operand, not {}", in.size()));
    }
    static_cast<void>(size_along(in[0].shape, attrs));
    return {TensorType{}};
  }
  [[nodiscard]] std::vector<Value> gradient(const GradientCall&) const override { return {Value{}}; }
  [[nodiscard]] Cost cost(std::span<const TensorType>, std::span<const TensorType>, const Attrs&) const override { return {0, 4}; }
};

}  // namespace

const Op& size_op() {
  static const SizeOp op;
  return op;
}

std::int64_t size_along(const Shape& shape, const Attrs& attrs) {
  std::int64_t size = 1;
  for (const std::int64_t axis : attrs.list("axes")) {
    size *= shape[static_cast<int>(axis)];
  }
  return size;
}

Value size(Value x, const std::vector<std::int64_t>& axes) {
  return x.graph->add(size_op(), {{"axes", axes}}, {x});
}

}  // namespace lockstep
