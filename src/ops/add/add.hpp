#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& add_op();
void add_reference(const ReferenceCall& call);
void add_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
