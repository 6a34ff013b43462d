#include <cmath>

#include "ops/softmax/row.hpp"

/// log_softmax over the last axis:  y = x − max − ln Σ exp(x − max).  x [..., C] → y [..., C], f32.
/// Gradient: g − exp(y)·Σ g, the sum over the last axis.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const Value g = call.grads[0];
  return {sub(g, mul(exp(call.outputs[0]), sum(g, {-1}, true)))};
}

void reference(const ReferenceCall& call) {
  const Rows rows = rows_of(call.in_types[0].shape);
  for (std::size_t r = 0; r < rows.count; ++r) {
    const double* const x = call.in[0].data() + r * rows.length;
    double* const y = call.out[0].data() + r * rows.length;
    const auto [max, total] = reference_exp_sum(x, rows.length);
    for (std::size_t i = 0; i < rows.length; ++i) {
      y[i] = x[i] - max - std::log(total);
    }
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  return make_kernel([rows = rows_of(spec.in[0].shape)](const CpuCall& call) {
    for (std::size_t r = 0; r < rows.count; ++r) {
      const float* const x = call.input(0) + r * rows.length;
      float* const y = call.output(0) + r * rows.length;
      const float max = row_max(x, rows.length);
      const float shift = max + fast::log(exp_sum(x, rows.length, max));
      for (std::size_t i = 0; i < rows.length; ++i) {
        y[i] = x[i] - shift;
      }
    }
  });
}

}  // namespace

const OpEntry& log_softmax_entry() {
  static const DefinedOp op({.name = "log_softmax", .infer = same_as_operand, .gradient = gradient, .reference = reference, .cpu = cpu});
  return op.entry;
}

Value log_softmax(Value x) { return x.graph->add(log_softmax_op(), {}, {x}); }

}  // namespace lockstep
