#include "ops/keyed.hpp"
#include "ops/random_uniform/random_uniform.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

void random_uniform_reference(const ReferenceCall& call) {
  const Rows samples = samples_of(call.out_types[0].shape);
  const KeyedSource source(call.step, "random_uniform", call.attrs.text("name"));
  for (std::size_t r = 0; r < samples.count; ++r) {
    for (std::size_t i = 0; i < samples.length; ++i) {
      call.out[0][r * samples.length + i] = unit_float(source.word(r, i));
    }
  }
}

}  // namespace lockstep
