#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& random_normal_op();
void random_normal_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> random_normal_cpu(const KernelSpec& spec);

}  // namespace lockstep
