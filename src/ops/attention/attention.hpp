#pragma once

#include "ops/define.hpp"

/// Scaled dot-product attention of each sample's positions to one another, several heads side by side. Vaswani et al. 2017, arXiv
/// 1706.03762; the backward op computes the weights again from the sums that the forward one left, as Dao et al. 2022, arXiv 2205.14135.
///
///   attention           qkv [n, T, 3·C] → y [n, T, C], log_sum [n, heads, T]. A position's numbers are its query, key and value of C
///                       each, and of each of these head h has the D = C / heads numbers from h·D. In a head, with s_ij = q_i·k_j / √D:
///                       log_sum_i = ln Σ_j exp(s_ij),  p_ij = exp(s_ij − log_sum_i),  y_i = Σ_j p_ij·v_j
///   attention_backward  qkv, log_sum, g [n, T, C] → dqkv [n, T, 3·C]. With r_i = Σ_j p_ij·(g_i·v_j) and t_ij = p_ij·(g_i·v_j − r_i) / √D:
///                       dq_i = Σ_j t_ij·k_j,  dk_j = Σ_i t_ij·q_i,  dv_j = Σ_i p_ij·g_i
///
/// Attributes of both: heads; causal (1: the sums over j stop at i, a position sees itself and those before it; 0: they run over all).
/// Scratch memory grows with T, not with T². The output log_sum is for the backward op; no gradient flows into it. For second derivatives
/// attention expands into primitive ops.
namespace lockstep {

struct AttentionSizes {
  std::int64_t samples = 0, positions = 0, heads = 0, width = 0;  ///< width: D, of a head
  bool causal = true;

  /// Numbers of a position in y, and in qkv.
  [[nodiscard]] std::int64_t row() const { return heads * width; }
  [[nodiscard]] std::int64_t packed_row() const { return 3 * row(); }
};
/// Throws ShapeError naming `op` when qkv does not fit.
[[nodiscard]] AttentionSizes attention_sizes(const TensorType& qkv, const Attrs& attrs, std::string_view op);

}  // namespace lockstep
