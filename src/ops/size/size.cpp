#include "ops/define.hpp"

/// size: how many elements x has along some axes, as a number. x [...] (any dtype, not read), attr axes → f32 [].
/// Written as an op since the number of samples is known only when a graph is made for a lane's size. No gradient flows.
namespace lockstep {
namespace {

/// The count itself: the product of the lengths of `axes` of the operand.
std::int64_t size_along(const Shape& shape, const Attrs& attrs) {
  std::int64_t size = 1;
  for (const std::int64_t axis : attrs.list("axes")) {
    size *= shape[static_cast<int>(axis)];
  }
  return size;
}

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_count(op, in, 1);
  static_cast<void>(size_along(in[0].shape, attrs));
  return {TensorType{}};
}

void cost(Cost& cost, std::span<const TensorType>, const Attrs&) { cost.bytes = 4; }

void reference(const ReferenceCall& call) { call.out[0][0] = static_cast<double>(size_along(call.in_types[0].shape, call.attrs)); }

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  const auto size = static_cast<float>(size_along(spec.in[0].shape, spec.attrs));
  return make_kernel([size](const CpuCall& call) { call.output(0)[0] = size; });
}

}  // namespace

constinit const DefinedOp size_op(
    {.name = "size", .infer = infer, .gradient = no_gradient, .cost = cost, .reference = reference, .cpu = cpu, .layouts = [](KernelSpec&) {
     }});  // any will do: x is not read

Value size(Value x, const std::vector<std::int64_t>& axes) { return x.graph->add(size_op, {{"axes", axes}}, {x}); }

}  // namespace lockstep
