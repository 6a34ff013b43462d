#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& sub_op();
void sub_reference(const ReferenceCall& call);
void sub_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
