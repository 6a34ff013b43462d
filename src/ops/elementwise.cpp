#include "ops/elementwise.hpp"

namespace lockstep {

std::vector<TensorType> ElementwiseOp::infer(std::span<const TensorType> in, const Attrs&) const {
  check_operands(name_, in, std::vector(operands_, DType::f32));
  Shape shape = in[0].shape;
  for (const TensorType& type : in) {
    shape = broadcast(shape, type.shape, name_);
  }
  return {{shape, DType::f32}};
}

Cost ElementwiseOp::cost(std::span<const TensorType> in, std::span<const TensorType> out, const Attrs& attrs) const {
  Cost cost = Op::cost(in, out, attrs);
  cost.flops = flops_ * static_cast<double>(out[0].elements());
  return cost;
}

Value sum_to(Value g, const Shape& shape) {
  if (g.shape() == shape) {
    return g;
  }
  std::vector<std::int64_t> axes;
  const int extra = g.shape().rank() - shape.rank();
  for (int i = 0; i < g.shape().rank(); ++i) {
    if (i < extra || (shape[i - extra] == 1 && g.shape()[i] != 1)) {
      axes.push_back(i);
    }
  }
  const Value summed = sum(g, axes);
  return summed.shape() == shape ? summed : reshape(summed, shape);
}

}  // namespace lockstep
