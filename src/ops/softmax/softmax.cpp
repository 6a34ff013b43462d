#include <cmath>

#include "ops/softmax/row.hpp"

/// softmax over the last axis:  y = exp(x − max) / Σ exp(x − max).  x [..., C] → y [..., C], f32.
/// Gradient: y·(g − Σ g·y), the sum over the last axis.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value g = call.grads[0], y = call.outputs[0];
  return {mul(y, sub(g, sum(mul(g, y), {-1}, true)))};
}

void reference(const ReferenceCall& call) {
  const Rows rows = rows_of(call.in_types[0].shape);
  for (std::size_t r = 0; r < rows.count; ++r) {
    const double* const x = call.in[0].data() + r * rows.length;
    double* const y = call.out[0].data() + r * rows.length;
    const auto [max, total] = reference_exp_sum(x, rows.length);
    for (std::size_t i = 0; i < rows.length; ++i) {
      y[i] = std::exp(x[i] - max) / total;
    }
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  return make_kernel([rows = rows_of(spec.in[0].shape)](const CpuCall& call) {
    for (std::size_t r = 0; r < rows.count; ++r) {
      const float* const x = call.input(0) + r * rows.length;
      float* const y = call.output(0) + r * rows.length;
      const float max = row_max(x, rows.length);
      const float scale = 1.0F / exp_terms(y, x, rows.length, max);
      for (std::size_t i = 0; i < rows.length; ++i) {
        y[i] *= scale;
      }
    }
  });
}

}  // namespace

const OpEntry& softmax_entry() {
  static const DefinedOp op({.name = "softmax", .infer = same_as_operand, .gradient = gradient, .reference = reference, .cpu = cpu});
  return op.entry;
}

Value softmax(Value x) { return x.graph->add(softmax_op(), {}, {x}); }

}  // namespace lockstep
