#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

/// labels i32 [...] → f32 [..., classes]
Value one_hot(Value labels, std::int64_t classes);
const Op& one_hot_op();
void one_hot_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> one_hot_cpu(const KernelSpec& spec);

}  // namespace lockstep
