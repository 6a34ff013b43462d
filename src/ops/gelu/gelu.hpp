#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& gelu_op();
void gelu_reference(const ReferenceCall& call);
void gelu_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
