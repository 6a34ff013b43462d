#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& mean_op();
void mean_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> mean_cpu(const KernelSpec& spec);

}  // namespace lockstep
