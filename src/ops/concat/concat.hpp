#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& concat_op();
void concat_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> concat_cpu(const KernelSpec& spec);

}  // namespace lockstep
