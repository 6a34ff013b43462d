#pragma once

#include <memory>

#include "lockstep/kernel.hpp"

/// Normalisation of each channel over all other axes, with the statistics of these N samples. Ioffe and Szegedy 2015, arXiv 1502.03167.
///
///   batch_norm           x [N, C, ...], gain [C], bias [C] → y = (x − mean) / sqrt(variance + eps) · gain + bias, mean [C], variance [C]
///   (biased) batch_norm_backward  x, gain, mean, variance, g [N, C, ...] → dx, dgain, dbias. With M elements a channel, x̂ the normalised
///   x:
///                        dbias = Σ g,  dgain = Σ g·x̂,  dx = gain / sqrt(variance + eps) · (g − (dbias + x̂·dgain) / M)
///
/// Attribute of both: eps. No gradient flows into the outputs mean and variance: they feed the running statistics. For second derivatives
/// batch_norm expands into primitive ops.
namespace lockstep {

const Op& batch_norm_op();
const Op& batch_norm_backward_op();

void batch_norm_reference(const ReferenceCall& call);
void batch_norm_backward_reference(const ReferenceCall& call);

std::unique_ptr<CpuKernel> batch_norm_cpu(const KernelSpec& spec);
std::unique_ptr<CpuKernel> batch_norm_backward_cpu(const KernelSpec& spec);

/// The same rule for both: y, g and dx follow x.
void batch_norm_layouts(KernelSpec& spec);

}  // namespace lockstep
