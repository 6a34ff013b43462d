#include "ops/reduction.hpp"

/// mean: over the given axes.  x [...] → y [... without the axes, or with length 1 where keep], f32: the sum divided by m = elements
/// summed. Attributes: axes (negative from the last; empty: all), keep. Gradient: g/m, repeated along the axes.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value g = call.grads[0], x = call.inputs[0];
  const double share = static_cast<double>(g.type().elements()) / static_cast<double>(x.type().elements());
  return {spread(mul(g, g.graph->constant(share)), x, call.attrs)};
}

void reference(const ReferenceCall& call) {
  reference_fold(call, 0, [](double y, double x) { return y + x; });
  const double share = static_cast<double>(call.out[0].size()) / static_cast<double>(call.in[0].size());
  for (double& y : call.out[0]) {
    y *= share;
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  const double share = static_cast<double>(spec.out[0].elements()) / static_cast<double>(spec.in[0].elements());
  return fold_kernel<SumFold>(spec, [share = static_cast<float>(share)](float* y, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      y[i] *= share;
    }
  });
}

}  // namespace

constinit const DefinedOp mean_op(reduction("mean", gradient, reference, cpu));

Value mean(Value x, const std::vector<std::int64_t>& axes, bool keep) { return x.graph->add(mean_op, reduction_attrs(axes, keep), {x}); }

}  // namespace lockstep
