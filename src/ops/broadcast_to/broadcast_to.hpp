#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& broadcast_to_op();
void broadcast_to_reference(const ReferenceCall& call);
void broadcast_to_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
