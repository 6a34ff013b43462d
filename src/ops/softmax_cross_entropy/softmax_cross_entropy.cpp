#include <fmt/format.h>

#include "ops/one_hot/one_hot.hpp"
#include "ops/softmax/row.hpp"

/// softmax_cross_entropy: y = −ln softmax(logits)[label].  logits f32 [..., classes], labels i32 [...] → y f32 [...], one number a label.
/// A label out of range throws DataError when it runs.
/// Gradient: softmax_cross_entropy_backward, (softmax(logits) − one_hot(label))·g; none for the labels.
///
/// softmax_cross_entropy_backward: dx = (softmax(logits) − one_hot(label))·g.
/// logits f32 [..., classes], labels i32 [...], g f32 [...] → dx f32 [..., classes].
/// Gradient: none of its own; expand() writes it in primitive ops.
namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall& call) {
  const std::vector<Value> operands{call.inputs[0], call.inputs[1], call.grads[0]};
  return {call.graph.add(softmax_cross_entropy_backward_op, {}, operands), {}};
}

std::vector<Value> expand(Graph&, std::span<const Value> in, const Attrs&) {
  return {neg(sum(mul(log_softmax(in[0]), one_hot(in[1], in[0].shape()[-1])), {-1}))};
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

std::vector<TensorType> backward_infer(std::string_view op, std::span<const TensorType> in, const Attrs&) {
  check_operands(op, in, {DType::f32, DType::i32, DType::f32});
  std::vector<std::int64_t> dims = in[1].shape.dims();
  dims.push_back(in[0].shape[-1]);
  if (in[0].shape != Shape(std::move(dims)) || in[2].shape != in[1].shape) {
    throw ShapeError(
        fmt::format("softmax_cross_entropy_backward: {}, {} and {} do not belong together", in[0].str(), in[1].str(), in[2].str()));
  }
  return {in[0]};
}

std::vector<Value> backward_expand(Graph&, std::span<const Value> in, const Attrs&) {
  std::vector<std::int64_t> column = in[2].shape().dims();
  column.push_back(1);
  return {mul(sub(softmax(in[0]), one_hot(in[1], in[0].shape()[-1])), reshape(in[2], Shape(std::move(column))))};
}

std::unique_ptr<CpuKernel> backward_cpu(const KernelSpec& spec) {
  return make_kernel([rows = rows_of(spec.in[0].shape)](const CpuCall& call) {
    for (std::size_t r = 0; r < rows.count; ++r) {
      const float* const x = call.input(0) + r * rows.length;
      float* const dx = call.output(0) + r * rows.length;
      const std::size_t label = checked_index(call.input<std::int32_t>(1)[r], rows.length, "softmax_cross_entropy_backward", "label", r);
      const float g = call.input(2)[r];
      const float scale = 1.0F / exp_terms(dx, x, rows.length, row_max(x, rows.length));
      const float at_label = dx[label] * scale - 1.0F;
      for (std::size_t i = 0; i < rows.length; ++i) {
        dx[i] = dx[i] * scale * g;
      }
      dx[label] = at_label * g;
    }
  });
}

}  // namespace

constinit const DefinedOp softmax_cross_entropy_op({.name = "softmax_cross_entropy",
                                                    .infer = one_number_a_label,
                                                    .gradient = gradient,
                                                    .expand = expand,
                                                    .reference = softmax_cross_entropy_reference,
                                                    .cpu = cpu});

constinit const DefinedOp softmax_cross_entropy_backward_op({.name = "softmax_cross_entropy_backward",
                                                             .infer = backward_infer,
                                                             .expand = backward_expand,
                                                             .reference = softmax_cross_entropy_backward_reference,
                                                             .cpu = backward_cpu});

Value softmax_cross_entropy(Value logits, Value labels) { return logits.graph->add(softmax_cross_entropy_op, {}, {logits, labels}); }

}  // namespace lockstep
