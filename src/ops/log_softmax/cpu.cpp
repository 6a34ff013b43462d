#include "ops/cpu_kernel.hpp"
#include "ops/log_softmax/log_softmax.hpp"
#include "ops/shapes.hpp"
#include "ops/softmax/row.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> log_softmax_cpu(const KernelSpec& spec) {
  return make_kernel([rows = rows_of(spec.in[0].shape)](const CpuCall& call) {
    for (std::size_t r = 0; r < rows.count; ++r) {
      const float* const x = call.input(0) + r * rows.length;
      float* const y = call.output(0) + r * rows.length;
      const float max = row_max(x, rows.length);
      const float shift = max + fast::log(exp_sum<false>(nullptr, x, rows.length, max));
      for (std::size_t i = 0; i < rows.length; ++i) {
        y[i] = x[i] - shift;
      }
    }
  });
}

}  // namespace lockstep
