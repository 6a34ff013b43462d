#include <cmath>
#include <numbers>

#include "ops/keyed.hpp"
#include "ops/random_normal/random_normal.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

void random_normal_reference(const ReferenceCall& call) {
  const Rows samples = samples_of(call.out_types[0].shape);
  const KeyedSource source(call.step, "random_normal", call.attrs.text("name"));
  for (std::size_t r = 0; r < samples.count; ++r) {
    for (std::size_t i = 0; i < samples.length; ++i) {
      const bool second = (i / kKeyedCounters) % 2 == 1;
      const std::size_t first_of_pair = second ? i - kKeyedCounters : i;
      const double u = unit_float_above_zero(source.word(r, first_of_pair));
      const double turn = 2 * std::numbers::pi * unit_float(source.word(r, first_of_pair + kKeyedCounters));
      call.out[0][r * samples.length + i] = std::sqrt(-2 * std::log(u)) * (second ? std::sin(turn) : std::cos(turn));
    }
  }
}

}  // namespace lockstep
