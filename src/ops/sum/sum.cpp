#include "ops/reduction.hpp"

/// sum: over the given axes.  x [...] → y [... without the axes, or with length 1 where keep], f32.
/// Attributes: axes (negative from the last; empty: all), keep.
/// Gradient: g, repeated along the axes.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) { return {spread(call.grads[0], call.inputs[0], call.attrs)}; }

void reference(const ReferenceCall& call) {
  reference_fold(call, 0, [](double y, double x) { return y + x; });
}

}  // namespace

constinit const DefinedOp sum_op(reduction("sum", gradient, reference, fold_kernel<SumFold>));

Value sum(Value x, const std::vector<std::int64_t>& axes, bool keep) { return x.graph->add(sum_op, reduction_attrs(axes, keep), {x}); }

}  // namespace lockstep
