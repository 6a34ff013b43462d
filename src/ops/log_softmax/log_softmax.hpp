#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& log_softmax_op();
void log_softmax_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> log_softmax_cpu(const KernelSpec& spec);

}  // namespace lockstep
