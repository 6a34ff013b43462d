#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& sqrt_op();
void sqrt_reference(const ReferenceCall& call);
void sqrt_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
