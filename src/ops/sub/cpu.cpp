#include "ops/elementwise.hpp"
#include "ops/sub/sub.hpp"

namespace lockstep {

void sub_tile(float* out, const float* const* in, std::size_t n, const Attrs&) {
  tile_binary(out, in, n, [](float a, float b) { return a - b; });
}

}  // namespace lockstep
