#include "ops/reference_loops.hpp"
#include "ops/softmax/row.hpp"

/// log_softmax over the last axis:  y = x − max − ln Σ exp(x − max).  x [..., C] → y [..., C], f32.
/// Gradient: g − exp(y)·Σ g, the sum over the last axis.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value g = call.grads[0];
  return {sub(g, mul(exp(call.outputs[0]), sum(g, {-1}, true)))};
}

void exact(double* y, const double* x, std::size_t n) {
  const auto [max, total] = reference_exp_sum(x, n);
  for (std::size_t i = 0; i < n; ++i) {
    y[i] = x[i] - max - std::log(total);
  }
}

void quick(float* y, const float* x, std::size_t n) {
  const float max = row_max(x, n);
  const float shift = max + fast::log(exp_sum(x, n, max));
  for (std::size_t i = 0; i < n; ++i) {
    y[i] = x[i] - shift;
  }
}

}  // namespace

constinit const DefinedOp log_softmax_op(
    {.name = "log_softmax", .infer = same_as_operand, .gradient = gradient, .reference = reference_rows<exact>, .cpu = cpu_rows<quick>});

Value log_softmax(Value x) { return x.graph->add(log_softmax_op, {}, {x}); }

}  // namespace lockstep
