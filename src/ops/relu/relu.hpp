#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& relu_op();
void relu_reference(const ReferenceCall& call);
void relu_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
