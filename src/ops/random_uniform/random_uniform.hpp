#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& random_uniform_op();
void random_uniform_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> random_uniform_cpu(const KernelSpec& spec);

}  // namespace lockstep
