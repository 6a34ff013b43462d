#include <algorithm>

#include "ops/softmax/row.hpp"

/// correct: y = 1 where the greatest logit (the first of equals) is the label's, else 0.
/// logits f32 [..., classes], labels i32 [...] → y f32 [...]. No gradient flows.
namespace lockstep {
namespace {

void reference(const ReferenceCall& call) {
  const Rows rows = rows_of(call.in_types[0].shape);
  for (std::size_t r = 0; r < rows.count; ++r) {
    const double* const x = call.in[0].data() + r * rows.length;
    call.out[0][r] = std::max_element(x, x + rows.length) - x == static_cast<std::ptrdiff_t>(call.in[1][r]) ? 1 : 0;
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  return make_kernel([rows = rows_of(spec.in[0].shape)](const CpuCall& call) {
    for (std::size_t r = 0; r < rows.count; ++r) {
      const float* const x = call.input(0) + r * rows.length;
      call.output(0)[r] = std::max_element(x, x + rows.length) - x == call.input<std::int32_t>(1)[r] ? 1.0F : 0.0F;
    }
  });
}

}  // namespace

constinit const DefinedOp correct_op(
    {.name = "correct", .infer = one_number_a_label, .gradient = no_gradient, .reference = reference, .cpu = cpu});

Value correct(Value logits, Value labels) { return logits.graph->add(correct_op, {}, {logits, labels}); }

}  // namespace lockstep
