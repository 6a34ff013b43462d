#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& size_op();
void size_reference(const ReferenceCall& call);
std::unique_ptr<CpuKernel> size_cpu(const KernelSpec& spec);

/// The count itself: the product of the lengths of `axes` of the operand.
[[nodiscard]] std::int64_t size_along(const Shape& shape, const Attrs& attrs);

}  // namespace lockstep
