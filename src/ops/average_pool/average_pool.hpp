#pragma once

#include <memory>

#include "lockstep/kernel.hpp"

/// The mean of each window, and its gradient; both linear, each the other's gradient.
///
///   average_pool           x [N, C, H, W] → y [N, C, H', W'] = Σ window / window²; padding counts as zeros (PyTorch's count_include_pad)
///   average_pool_backward  g [N, C, H', W'] → dx [N, C, H, W]: g / window² added all over its window (attributes height, width)
///
/// Attributes of both: window, stride, padding.
namespace lockstep {

const Op& average_pool_op();
const Op& average_pool_backward_op();

void average_pool_reference(const ReferenceCall& call);
void average_pool_backward_reference(const ReferenceCall& call);

std::unique_ptr<CpuKernel> average_pool_cpu(const KernelSpec& spec);
std::unique_ptr<CpuKernel> average_pool_backward_cpu(const KernelSpec& spec);

/// The same rule for both: the output follows the input.
void average_pool_layouts(KernelSpec& spec);

}  // namespace lockstep
