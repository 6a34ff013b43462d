#pragma once

#include "ops/define.hpp"
#include "ops/fast_math.hpp"

/// What the softmax family shares: one row of n numbers at a time.
namespace lockstep {

/// `infer` of ops of logits f32 [..., classes] and labels i32 [...] that give one number a label, f32 [...].
std::vector<TensorType> one_number_a_label(std::string_view op, std::span<const TensorType> in, const Attrs& attrs);

/// The loops of an op from rows to rows, which gives one row of n numbers by `kRow(y, x, n)`: its reference and its CPU kernel.
template <auto kRow>
void reference_rows(const ReferenceCall& call) {
  const Rows rows = rows_of(call.in_types[0].shape);
  for (std::size_t at = 0; at < call.in[0].size(); at += rows.length) {
    kRow(call.out[0].data() + at, call.in[0].data() + at, rows.length);
  }
}
template <auto kRow>
std::unique_ptr<CpuKernel> cpu_rows(const KernelSpec& spec) {
  return make_kernel([rows = rows_of(spec.in[0].shape)](const CpuCall& call) {
    for (std::size_t r = 0; r < rows.count; ++r) {
      kRow(call.output(0) + r * rows.length, call.input(0) + r * rows.length, rows.length);
    }
  });
}

/// In double: the greatest number of a row and Σ exp(x − max).
struct RowSum {
  double max, total;
};
RowSum reference_exp_sum(const double* x, std::size_t n);

/// The greatest; NaN if there is one.
float row_max(const float* x, std::size_t n);

/// out[i] = exp(x[i] − max), where `out` may be x. Returns their sum, in an order that depends on n alone.
float exp_terms(float* out, const float* x, std::size_t n, float max);

/// The sum alone.
float exp_sum(const float* x, std::size_t n, float max);

}  // namespace lockstep
