#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& gather_op();
void gather_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> gather_cpu(const KernelSpec& spec);

}  // namespace lockstep
