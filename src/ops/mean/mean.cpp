#include "ops/mean/mean.hpp"

#include "ops/reduction.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value g = call.grads[0], x = call.inputs[0];
  const double share = static_cast<double>(g.type().elements()) / static_cast<double>(x.type().elements());
  return {spread(mul(g, g.graph->constant(share)), x, call.attrs)};
}

}  // namespace

/// mean: over the given axes.  x [...] → y [... without the axes, or with length 1 where keep], f32: the sum divided by m = elements
/// summed. Attributes: axes (negative from the last; empty: all), keep. Gradient: g/m, repeated along the axes.
const Op& mean_op() {
  static const ReductionOp op("mean", gradient);
  return op;
}

Value mean(Value x, const std::vector<std::int64_t>& axes, bool keep) {
  return x.graph->add(mean_op(), reduction_attrs(axes, keep), {x});
}

}  // namespace lockstep
