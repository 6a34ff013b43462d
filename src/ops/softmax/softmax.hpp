#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& softmax_op();
void softmax_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> softmax_cpu(const KernelSpec& spec);

}  // namespace lockstep
