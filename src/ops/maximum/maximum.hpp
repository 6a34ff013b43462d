#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& maximum_op();
void maximum_reference(const ReferenceCall& call);
void maximum_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
