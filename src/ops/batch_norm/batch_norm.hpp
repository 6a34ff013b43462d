#pragma once

#include "ops/define.hpp"

/// Normalisation of each channel over all other axes, with the statistics of these N samples. Ioffe and Szegedy 2015, arXiv 1502.03167.
///
///   batch_norm           x [N, C, ...], gain [C], bias [C] → y = (x − mean) / sqrt(variance + eps) · gain + bias,
///                        mean [C], variance [C] (biased)
///   batch_norm_backward  x, gain, mean, variance, g [N, C, ...] → dx, dgain, dbias. With M elements a channel, x̂ the normalised x:
///                        dbias = Σ g,  dgain = Σ g·x̂,  dx = gain / sqrt(variance + eps) · (g − (dbias + x̂·dgain) / M)
///
/// Attribute of both: eps. No gradient flows into the outputs mean and variance: they feed the running statistics. For second derivatives
/// batch_norm expands into primitive ops.
///
/// What the plan may fuse into them, after differentiation; models never write it:
///   batch_norm           a fourth operand, residual, like x, and the attribute activation = relu: y = relu(… + residual)
///   batch_norm_backward  the attribute addend = 1 and a last operand like g: g + addend is the gradient; the attribute mask and operand 5:
///                        own, bias: g counts where the op's own result, of x, gain and bias, is greater than 0, elsewhere it is 0;
///                        tensor, like x: g counts where that is greater than 0, and the gradient that counts is output 3
namespace lockstep {

/// Which elements of g count, and whether there is an addend; from the attributes of batch_norm_backward.
enum class Mask : std::uint8_t { none, own, tensor };
[[nodiscard]] Mask mask_of(const Attrs& attrs);
[[nodiscard]] bool has_addend(const Attrs& attrs);

// ---- shared with layer_norm ----

/// Throws ShapeError naming `op` unless operand `i` is `wanted`; operand 0 is x.
void require_operand(std::string_view op, std::span<const TensorType> in, std::size_t i, const TensorType& wanted);

/// The gradient of either op: its backward op. Throws UsageError where a gradient of mean or variance is asked for.
std::vector<Value> norm_gradient(const GradientCall& call, const Op& forward, const Op& backward);

/// x normalised over axes, in primitive ops.
struct Normalised {
  Value mean, variance, x;
};
Normalised normalised(Value x, const std::vector<std::int64_t>& axes, const Attrs& attrs);

}  // namespace lockstep
