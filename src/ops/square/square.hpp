#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& square_op();
void square_reference(const ReferenceCall& call);
void square_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
