#pragma once

#include "lockstep/kernel.hpp"

namespace lockstep {

const Op& log_op();
void log_reference(const ReferenceCall& call);
void log_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs);

}  // namespace lockstep
