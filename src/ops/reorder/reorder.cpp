#include <algorithm>
#include <cstring>

#include "ops/define.hpp"
#include "runtime/onednn.hpp"

/// reorder: the same tensor in another memory layout: y = x, any type and shape. Only the plan's layout pass writes it, after
/// differentiation, so it has no gradient; the layouts of operand and result say what it does, and between equal ones it copies.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view, std::span<const TensorType> in, const Attrs&) { return {in[0]}; }

void reference(const ReferenceCall& call) { std::ranges::copy(call.in[0], call.out[0].begin()); }

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  const TensorType& type = spec.in[0];
  if (spec.in_layouts[0] == spec.out_layouts[0]) {
    return make_kernel([bytes = type.bytes()](const CpuCall& call) { std::memcpy(call.out[0], call.in[0], bytes); });
  }
  return onednn::reorder(onednn::desc(type, spec.in_layouts[0]), onednn::desc(type, spec.out_layouts[0]));
}

}  // namespace

constinit const DefinedOp reorder_op({.name = "reorder", .infer = infer, .reference = reference, .cpu = cpu});

}  // namespace lockstep
