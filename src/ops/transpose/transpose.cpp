#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "ops/define.hpp"
#include "runtime/onednn.hpp"

/// transpose: axes in another order.  x [...] → y, of any type; axis i of y is axis permutation[i] of x.
/// Attribute: permutation.
/// Gradient: g with the axes back in their order.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_count(op, in, 1);
  const std::vector<std::int64_t>& permutation = attrs.list("permutation");
  std::vector<std::int64_t> sorted = permutation;
  std::sort(sorted.begin(), sorted.end());
  std::vector<std::int64_t> axes(in[0].shape.dims().size());
  std::iota(axes.begin(), axes.end(), 0);
  if (sorted != axes) {
    throw ShapeError(fmt::format("transpose: {} is no order of the axes of {}", Shape(permutation).str(), in[0].shape.str()));
  }
  std::vector<std::int64_t> dims;
  for (const std::int64_t axis : permutation) {
    dims.push_back(in[0].shape[static_cast<int>(axis)]);
  }
  return {{Shape(std::move(dims)), in[0].dtype}};
}

std::vector<Value> gradient(const GradientCall& call) {
  const std::vector<std::int64_t>& permutation = call.attrs.list("permutation");
  std::vector<std::int64_t> inverse(permutation.size());
  for (std::size_t i = 0; i < permutation.size(); ++i) {
    inverse[static_cast<std::size_t>(permutation[i])] = static_cast<std::int64_t>(i);
  }
  return {transpose(call.grads[0], inverse)};
}

/// A copy by oneDNN of x seen with the axes of y.
std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  const std::vector<std::size_t> from = strides_of(spec.in[0].shape);
  dnnl::memory::dims strides;
  for (const std::int64_t axis : spec.attrs.list("permutation")) {
    strides.push_back(static_cast<std::int64_t>(from[static_cast<std::size_t>(axis)]));
  }
  const onednn::Desc to = onednn::desc(spec.out[0]);
  return onednn::reorder(strides.empty() ? to : onednn::strided(spec.out[0].shape.dims(), strides, spec.out[0].dtype), to);
}

}  // namespace

constinit const DefinedOp transpose_op(
    {.name = "transpose", .infer = infer, .gradient = gradient, .reference = transpose_reference, .cpu = cpu});

Value transpose(Value x, const std::vector<std::int64_t>& permutation) {
  return x.graph->add(transpose_op, {{"permutation", permutation}}, {x});
}

}  // namespace lockstep
