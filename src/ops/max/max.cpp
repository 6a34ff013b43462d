#include <cmath>

#include "ops/reduction.hpp"

/// max: the greatest over the given axes, NaN if there is one.  x [...] → y [... without the axes, or with length 1 where keep], f32.
/// Attributes: axes (negative from the last; empty: all), keep.
/// Gradient: g to all elements equal to y, in equal parts.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value x = call.inputs[0];
  const Value greatest = equal(x, spread(call.outputs[0], x, call.attrs));
  const Value share = div(call.grads[0], x.graph->add(sum_op, call.attrs, {greatest}));
  return {mul(greatest, spread(share, x, call.attrs))};
}

void reference(const ReferenceCall& call) {
  reference_fold(call, -std::numeric_limits<double>::infinity(), [](double y, double x) { return y > x || std::isnan(y) ? y : x; });
}

}  // namespace

constinit const DefinedOp max_op(reduction("max", gradient, reference, fold_kernel<MaxFold>));

Value max(Value x, const std::vector<std::int64_t>& axes, bool keep) { return x.graph->add(max_op, reduction_attrs(axes, keep), {x}); }

}  // namespace lockstep
