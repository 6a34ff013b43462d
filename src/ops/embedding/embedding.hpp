#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& embedding_op();
void embedding_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> embedding_cpu(const KernelSpec& spec);

}  // namespace lockstep
