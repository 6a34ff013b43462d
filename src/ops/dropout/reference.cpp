#include "ops/dropout/dropout.hpp"
#include "ops/keyed.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

void dropout_reference(const ReferenceCall& call) {
  const Rows samples = samples_of(call.in_types[0].shape);
  const KeyedSource source(call.step, "dropout", call.attrs.text("name"));
  const double rate = call.attrs.real("rate");
  for (std::size_t r = 0; r < samples.count; ++r) {
    for (std::size_t i = 0; i < samples.length; ++i) {
      const std::size_t at = r * samples.length + i;
      call.out[0][at] = unit_double(source.word(r, i), 0) < rate ? 0 : call.in[0][at] / (1 - rate);
    }
  }
}

}  // namespace lockstep
