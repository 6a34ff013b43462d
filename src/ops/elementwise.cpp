#include "ops/elementwise.hpp"

namespace lockstep {

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
