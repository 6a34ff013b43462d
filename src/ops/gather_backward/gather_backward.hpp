#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& gather_backward_op();
void gather_backward_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> gather_backward_cpu(const KernelSpec& spec);

}  // namespace lockstep
