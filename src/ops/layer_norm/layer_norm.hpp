#pragma once

#include "ops/define.hpp"

/// Normalisation of each row over the last axis. Ba, Kiros, Hinton 2016, arXiv 1607.06450.
///
///   layer_norm           x [..., C], gain [C], bias [C] → y = (x − mean) / sqrt(variance + eps) · gain + bias,
///                        mean [...], variance [...] (biased)
///   layer_norm_backward  x, gain, mean, variance, g [..., C] → dx, dgain, dbias. With x̂ the normalised x and u = g·gain:
///                        dbias = Σ g,  dgain = Σ g·x̂ over all rows;  dx = (u − (Σ u + x̂·Σ u·x̂) / C) / sqrt(variance + eps), Σ over the row
///
/// Attribute of both: eps. The outputs mean and variance are for the backward op; no gradient flows into them. For second derivatives
/// layer_norm expands into primitive ops.
namespace lockstep {

void layer_norm_reference(const ReferenceCall& call);
void layer_norm_backward_reference(const ReferenceCall& call);

std::unique_ptr<CpuKernel> layer_norm_cpu(const KernelSpec& spec);
std::unique_ptr<CpuKernel> layer_norm_backward_cpu(const KernelSpec& spec);

}  // namespace lockstep
