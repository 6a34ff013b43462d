#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& neg_op();
void neg_reference(const ReferenceCall& call);
void neg_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
