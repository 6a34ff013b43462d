#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& pad_op();
void pad_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> pad_cpu(const KernelSpec& spec);

}  // namespace lockstep
