#include <algorithm>

#include "ops/cpu_kernel.hpp"
#include "ops/one_hot/one_hot.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> one_hot_cpu(const KernelSpec& spec) {
  return make_kernel([rows = rows_of(spec.out[0].shape)](const CpuCall& call) {
    std::fill_n(call.output(0), rows.count * rows.length, 0.0F);
    for (std::size_t r = 0; r < rows.count; ++r) {
      const std::int32_t label = call.input<std::int32_t>(0)[r];
      call.output(0)[r * rows.length + checked_index(label, static_cast<std::int64_t>(rows.length), "one_hot", "label", r)] = 1;
    }
  });
}

}  // namespace lockstep
