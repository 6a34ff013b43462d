#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& slice_op();
void slice_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> slice_cpu(const KernelSpec& spec);

}  // namespace lockstep
