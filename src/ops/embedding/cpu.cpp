#include <cstring>

#include "ops/cpu_kernel.hpp"
#include "ops/embedding/embedding.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> embedding_cpu(const KernelSpec& spec) {
  const auto count = static_cast<std::size_t>(spec.in[0].elements());
  const auto width = static_cast<std::size_t>(spec.in[1].shape[1]);
  return make_kernel([count, width, rows = spec.in[1].shape[0]](const CpuCall& call) {
    for (std::size_t j = 0; j < count; ++j) {
      const std::size_t row = checked_index(call.input<std::int32_t>(0)[j], rows, "embedding", "index", j);
      std::memcpy(call.output(0) + j * width, call.input(1) + row * width, width * sizeof(float));
    }
  });
}

}  // namespace lockstep
