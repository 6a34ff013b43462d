#include "ops/cpu_kernel.hpp"
#include "ops/shapes.hpp"
#include "ops/softmax/row.hpp"
#include "ops/softmax_cross_entropy_backward/softmax_cross_entropy_backward.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> softmax_cross_entropy_backward_cpu(const KernelSpec& spec) {
  return make_kernel([rows = rows_of(spec.in[0].shape)](const CpuCall& call) {
    for (std::size_t r = 0; r < rows.count; ++r) {
      const float* const x = call.input(0) + r * rows.length;
      float* const dx = call.output(0) + r * rows.length;
      const std::size_t label = checked_index(call.input<std::int32_t>(1)[r], static_cast<std::int64_t>(rows.length),
                                              "softmax_cross_entropy_backward", "label", r);
      const float g = call.input(2)[r];
      const float scale = 1.0F / exp_sum<true>(dx, x, rows.length, row_max(x, rows.length));
      const float at_label = dx[label] * scale - 1.0F;
      for (std::size_t i = 0; i < rows.length; ++i) {
        dx[i] = dx[i] * scale * g;
      }
      dx[label] = at_label * g;
    }
  });
}

}  // namespace lockstep
