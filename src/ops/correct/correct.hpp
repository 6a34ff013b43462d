#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& correct_op();
void correct_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> correct_cpu(const KernelSpec& spec);

}  // namespace lockstep
