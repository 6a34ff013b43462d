#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& mul_op();
void mul_reference(const ReferenceCall& call);
void mul_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
