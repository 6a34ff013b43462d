#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& softplus_op();
void softplus_reference(const ReferenceCall& call);
void softplus_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
