#include "ops/broadcast_to/broadcast_to.hpp"
#include "ops/elementwise.hpp"

namespace lockstep {

void broadcast_to_tile(float* out, const float* const* in, std::size_t n, const Attrs&) {
  if (out != in[0]) {
    tile_unary(out, in, n, [](float x) { return x; });
  }
}

}  // namespace lockstep
