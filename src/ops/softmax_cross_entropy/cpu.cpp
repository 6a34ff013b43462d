#include "ops/cpu_kernel.hpp"
#include "ops/shapes.hpp"
#include "ops/softmax/row.hpp"
#include "ops/softmax_cross_entropy/softmax_cross_entropy.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> softmax_cross_entropy_cpu(const KernelSpec& spec) {
  return make_kernel([rows = rows_of(spec.in[0].shape)](const CpuCall& call) {
    for (std::size_t r = 0; r < rows.count; ++r) {
      const float* const x = call.input(0) + r * rows.length;
      const std::size_t label =
          checked_index(call.input<std::int32_t>(1)[r], static_cast<std::int64_t>(rows.length), "softmax_cross_entropy", "label", r);
      const float max = row_max(x, rows.length);
      call.output(0)[r] = fast::log(exp_sum<false>(nullptr, x, rows.length, max)) - (x[label] - max);
    }
  });
}

}  // namespace lockstep
