#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& equal_op();
void equal_reference(const ReferenceCall& call);
void equal_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
