#include "ops/embedding/embedding.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

void embedding_reference(const ReferenceCall& call) {
  const Shape& table = call.in_types[1].shape;
  const auto width = static_cast<std::size_t>(table[1]);
  for (std::size_t j = 0; j < call.in[0].size(); ++j) {
    const std::size_t row = checked_index(static_cast<std::int64_t>(call.in[0][j]), table[0], "embedding", "index", j);
    for (std::size_t i = 0; i < width; ++i) {
      call.out[0][j * width + i] = call.in[1][row * width + i];
    }
  }
}

}  // namespace lockstep
