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
namespace lockstep {

void batch_norm_reference(const ReferenceCall& call);
void batch_norm_backward_reference(const ReferenceCall& call);

std::unique_ptr<CpuKernel> batch_norm_cpu(const KernelSpec& spec);
std::unique_ptr<CpuKernel> batch_norm_backward_cpu(const KernelSpec& spec);

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
