#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& erf_op();
void erf_reference(const ReferenceCall& call);
void erf_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
