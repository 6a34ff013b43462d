#pragma once

#include "ops/define.hpp"

/// Matrix product  y = activation(op(a)·op(b) + bias),  op: the last two axes swapped where transpose_a, transpose_b say 1.
/// a [..., m, k], b [..., k, n] or [k, n], bias [n] → y [..., m, n].
/// Gradient, g [..., m, n]: a: g·op(b)ᵀ; b: op(a)ᵀ·g, summed over the leading axes where b has none (one product of all rows); bias: g
/// summed over all axes but the last. Each is one product without a transposed copy, but for a transposed batched `a` with a `b` of rank 2.
namespace lockstep {

/// The plan sets it where it computes some rows of a product alone: elements from one row of a in memory to the next.
inline constexpr const char* kLeadingA = "leading_a";

/// The product as `batch` products of m×k and k×n matrices. `shared_b`: one b serves all.
struct MatmulSizes {
  std::int64_t batch = 1, m = 0, n = 0, k = 0;
  bool transpose_a = false, transpose_b = false, shared_b = false;
};
/// Throws ShapeError when the operands do not fit.
[[nodiscard]] MatmulSizes matmul_sizes(std::span<const TensorType> in, const Attrs& attrs);

}  // namespace lockstep
