#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& step_op();
void step_reference(const ReferenceCall& call);
void step_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
