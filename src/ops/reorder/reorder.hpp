#pragma once

#include <memory>

#include "lockstep/kernel.hpp"

/// The same tensor in another memory layout: y = x, any type and shape. Only the plan's layout pass writes it, after differentiation, so it
/// has no gradient; the layouts of operand and result say what it does, and between equal ones it copies.
namespace lockstep {

const Op& reorder_op();
void reorder_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> reorder_cpu(const KernelSpec& spec);

}  // namespace lockstep
