#include "ops/reference_loops.hpp"
#include "ops/softmax/row.hpp"

/// softmax over the last axis:  y = exp(x − max) / Σ exp(x − max).  x [..., C] → y [..., C], f32.
/// Gradient: y·(g − Σ g·y), the sum over the last axis.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value g = call.grads[0], y = call.outputs[0];
  return {mul(y, sub(g, sum(mul(g, y), {-1}, true)))};
}

void exact(double* y, const double* x, std::size_t n) {
  const auto [max, total] = reference_exp_sum(x, n);
  for (std::size_t i = 0; i < n; ++i) {
    y[i] = std::exp(x[i] - max) / total;
  }
}

void quick(float* y, const float* x, std::size_t n) {
  const float scale = 1.0F / exp_terms(y, x, n, row_max(x, n));
  for (std::size_t i = 0; i < n; ++i) {
    y[i] *= scale;
  }
}

}  // namespace

constinit const DefinedOp softmax_op(
    {.name = "softmax", .infer = same_as_operand, .gradient = gradient, .reference = reference_rows<exact>, .cpu = cpu_rows<quick>});

Value softmax(Value x) { return x.graph->add(softmax_op, {}, {x}); }

}  // namespace lockstep
