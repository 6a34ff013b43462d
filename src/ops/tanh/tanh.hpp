#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& tanh_op();
void tanh_reference(const ReferenceCall& call);
void tanh_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
