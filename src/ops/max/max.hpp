#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& max_op();
void max_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> max_cpu(const KernelSpec& spec);

}  // namespace lockstep
