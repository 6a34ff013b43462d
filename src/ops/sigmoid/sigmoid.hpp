#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& sigmoid_op();
void sigmoid_reference(const ReferenceCall& call);
void sigmoid_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
