#include "ops/elementwise.hpp"
#include "ops/square/square.hpp"

namespace lockstep {

void square_tile(float* out, const float* const* in, std::size_t n, const Attrs&) {
  tile_unary(out, in, n, [](float x) { return x * x; });
}

}  // namespace lockstep
