#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"
#include "ops/tanh/tanh.hpp"

namespace lockstep {

void tanh_tile(float* out, const float* const* in, std::size_t n, const Attrs&) {
  tile_unary(out, in, n, [](float x) { return fast::tanh(x); });
}

}  // namespace lockstep
