#include <cmath>

#include "ops/one_hot/one_hot.hpp"
#include "ops/softmax/row.hpp"

/// softmax_cross_entropy: y = −ln softmax(logits)[label].  logits f32 [..., classes], labels i32 [...] → y f32 [...], one number a label.
/// A label out of range throws DataError when it runs.
/// Gradient: softmax_cross_entropy_backward, (softmax(logits) − one_hot(label))·g; none for the labels.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const std::vector<Value> operands{call.inputs[0], call.inputs[1], call.grads[0]};
  return {call.graph.add(softmax_cross_entropy_backward_op, {}, operands), {}};
}

std::vector<Value> expand(Graph&, std::span<const Value> in, const Attrs&) {
  return {neg(sum(mul(log_softmax(in[0]), one_hot(in[1], in[0].shape()[-1])), {-1}))};
}

void reference(const ReferenceCall& call) {
  const Rows rows = rows_of(call.in_types[0].shape);
  for (std::size_t r = 0; r < rows.count; ++r) {
    const double* const x = call.in[0].data() + r * rows.length;
    const std::size_t label = checked_index(static_cast<std::int64_t>(call.in[1][r]), rows.length, "softmax_cross_entropy", "label", r);
    const auto [max, total] = reference_exp_sum(x, rows.length);
    call.out[0][r] = std::log(total) - (x[label] - max);
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  return make_kernel([rows = rows_of(spec.in[0].shape)](const CpuCall& call) {
    for (std::size_t r = 0; r < rows.count; ++r) {
      const float* const x = call.input(0) + r * rows.length;
      const std::size_t label = checked_index(call.input<std::int32_t>(1)[r], rows.length, "softmax_cross_entropy", "label", r);
      const float max = row_max(x, rows.length);
      call.output(0)[r] = fast::log(exp_sum(x, rows.length, max)) - (x[label] - max);
    }
  });
}

}  // namespace

constinit const DefinedOp softmax_cross_entropy_op({.name = "softmax_cross_entropy",
                                                    .infer = one_number_a_label,
                                                    .gradient = gradient,
                                                    .expand = expand,
                                                    .reference = reference,
                                                    .cpu = cpu});

Value softmax_cross_entropy(Value logits, Value labels) { return logits.graph->add(softmax_cross_entropy_op, {}, {logits, labels}); }

}  // namespace lockstep
