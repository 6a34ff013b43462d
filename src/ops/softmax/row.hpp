#pragma once

#include "ops/define.hpp"
#include "ops/fast_math.hpp"

/// What the softmax family shares: one row of n numbers at a time.
namespace lockstep {

/// `infer` of ops of logits f32 [..., classes] and labels i32 [...] that give one number a label, f32 [...].
std::vector<TensorType> one_number_a_label(std::string_view op, std::span<const TensorType> in, const Attrs& attrs);

/// The kernel of an op from rows to rows, which gives one row of n numbers by `kRow(y, x, n)`.
template <auto kRow>
std::unique_ptr<CpuKernel> cpu_rows(const KernelSpec& spec) {
  return make_kernel([rows = rows_of(spec.in[0].shape)](const CpuCall& call) {
    for (std::size_t r = 0; r < rows.count; ++r) {
      kRow(call.output(0) + r * rows.length, call.input(0) + r * rows.length, rows.length);
    }
  });
}

/// The greatest; NaN if there is one.
float row_max(const float* x, std::size_t n);

/// out[i] = exp(x[i] − max), where `out` may be x. Returns their sum, in an order that depends on n alone.
float exp_terms(float* out, const float* x, std::size_t n, float max);

/// The sum alone.
float exp_sum(const float* x, std::size_t n, float max);

}  // namespace lockstep
