#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& elu_op();
void elu_reference(const ReferenceCall& call);
void elu_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
