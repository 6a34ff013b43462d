#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& mean_squared_error_op();
void mean_squared_error_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> mean_squared_error_cpu(const KernelSpec& spec);

}  // namespace lockstep
