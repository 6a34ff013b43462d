#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& silu_op();
void silu_reference(const ReferenceCall& call);
void silu_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
