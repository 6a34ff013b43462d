#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& dropout_op();
void dropout_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> dropout_cpu(const KernelSpec& spec);

}  // namespace lockstep
