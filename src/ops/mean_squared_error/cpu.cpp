#include <array>

#include "ops/cpu_kernel.hpp"
#include "ops/mean_squared_error/mean_squared_error.hpp"
#include "ops/reduction.hpp"
#include "ops/shapes.hpp"

namespace lockstep {
namespace {

/// Σ (x − t)² with 32 accumulators: the order depends on n alone.
float squared_distance(const float* x, const float* t, std::size_t n) {
  constexpr std::size_t kWidth = 32;
  std::array<float, kWidth> part{};
  std::size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) {
    for (std::size_t j = 0; j < kWidth; ++j) {
      part[j] += (x[i + j] - t[i + j]) * (x[i + j] - t[i + j]);
    }
  }
  for (std::size_t j = 0; i + j < n; ++j) {
    part[j] += (x[i + j] - t[i + j]) * (x[i + j] - t[i + j]);
  }
  return fold_row<SumFold>(part.data(), kWidth);
}

}  // namespace

std::unique_ptr<CpuKernel> mean_squared_error_cpu(const KernelSpec& spec) {
  return make_kernel([samples = samples_of(spec.in[0].shape)](const CpuCall& call) {
    for (std::size_t r = 0; r < samples.count; ++r) {
      const std::size_t begin = r * samples.length;
      call.output(0)[r] =
          squared_distance(call.input(0) + begin, call.input(1) + begin, samples.length) / static_cast<float>(samples.length);
    }
  });
}

}  // namespace lockstep
