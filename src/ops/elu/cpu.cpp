#include "ops/elementwise.hpp"
#include "ops/elu/elu.hpp"
#include "ops/fast_math.hpp"

namespace lockstep {

void elu_tile(float* out, const float* const* in, std::size_t n, const Attrs& attrs) {
  const auto alpha = static_cast<float>(attrs.real("alpha"));
  tile_unary(out, in, n, [alpha](float x) { return x > 0.0F ? x : alpha * fast::expm1(x); });
}

}  // namespace lockstep
