#include <cstring>

#include "ops/cpu_kernel.hpp"
#include "ops/reorder/reorder.hpp"
#include "runtime/onednn.hpp"

namespace lockstep {

std::unique_ptr<CpuKernel> reorder_cpu(const KernelSpec& spec) {
  const TensorType& type = spec.in[0];
  if (spec.in_layouts[0] == spec.out_layouts[0]) {
    return make_kernel([bytes = type.bytes()](const CpuCall& call) { std::memcpy(call.out[0], call.in[0], bytes); });
  }
  const onednn::Desc from = onednn::desc(type, spec.in_layouts[0]), to = onednn::desc(type, spec.out_layouts[0]);
  const onednn::OneThread one_thread;
  const dnnl::reorder::primitive_desc description(onednn::engine(), from, onednn::engine(), to, onednn::attributes());
  return std::make_unique<onednn::PrimitiveKernel>(description,
                                                   std::vector<onednn::Operand>{{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to, true}});
}

}  // namespace lockstep
