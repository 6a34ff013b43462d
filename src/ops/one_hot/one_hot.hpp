#pragma once

#include "lockstep/graph.hpp"

namespace lockstep {

/// labels i32 [...] → f32 [..., classes]
Value one_hot(Value labels, std::int64_t classes);

}  // namespace lockstep
