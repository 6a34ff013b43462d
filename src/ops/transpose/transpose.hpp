#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& transpose_op();
void transpose_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> transpose_cpu(const KernelSpec& spec);

}  // namespace lockstep
