#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& softmax_cross_entropy_op();
void softmax_cross_entropy_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> softmax_cross_entropy_cpu(const KernelSpec& spec);

}  // namespace lockstep
