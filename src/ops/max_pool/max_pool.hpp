#pragma once

#include "ops/define.hpp"

/// The greatest element of each window, and the two ops of its gradient.
///
///   max_pool           x [N, C, H, W] → y [N, C, H', W'], index u8 [N, C, H', W']: the first greatest element's place in its window,
///                      row · window + column; padding counts as −∞, NaN as greatest. Windows of up to 16×16.
///   max_pool_backward  index, g [N, C, H', W'] → dx [N, C, H, W]: each g added where its window's greatest element was
///                      (attributes height, width)
///   max_pool_pick      index, x [N, C, H, W] → [N, C, H', W']: the element of each window that `index` names
///
/// The last two are linear, and each is the other's gradient. Attributes of all: window, stride, padding.
namespace lockstep {

void max_pool_reference(const ReferenceCall& call);
void max_pool_backward_reference(const ReferenceCall& call);
void max_pool_pick_reference(const ReferenceCall& call);

std::unique_ptr<CpuKernel> max_pool_cpu(const KernelSpec& spec);
std::unique_ptr<CpuKernel> max_pool_backward_cpu(const KernelSpec& spec);
std::unique_ptr<CpuKernel> max_pool_pick_cpu(const KernelSpec& spec);

}  // namespace lockstep
