#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& sum_op();
void sum_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> sum_cpu(const KernelSpec& spec);

}  // namespace lockstep
