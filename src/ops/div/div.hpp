#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& div_op();
void div_reference(const ReferenceCall& call);
void div_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
