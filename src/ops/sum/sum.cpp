#include "ops/sum/sum.hpp"

#include "ops/reduction.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  return {spread(call.grads[0], call.inputs[0], call.attrs)};
}

}  // namespace

/// sum: over the given axes.  x [...] → y [... without the axes, or with length 1 where keep], f32.
/// Attributes: axes (negative from the last; empty: all), keep.
/// Gradient: g, repeated along the axes.
const Op& sum_op() {
  static const ReductionOp op("sum", gradient);
  return op;
}

Value sum(Value x, const std::vector<std::int64_t>& axes, bool keep) {
  return x.graph->add(sum_op(), reduction_attrs(axes, keep), {x});
}

}  // namespace lockstep
