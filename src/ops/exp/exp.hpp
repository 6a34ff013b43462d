#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& exp_op();
void exp_reference(const ReferenceCall& call);
void exp_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
