#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& reshape_op();
void reshape_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> reshape_cpu(const KernelSpec& spec);

}  // namespace lockstep
