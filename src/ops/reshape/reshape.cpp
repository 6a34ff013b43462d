#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ops/define.hpp"

/// reshape: the same elements in row-major order under another shape.  x [...] → y [shape], of any type.
/// Attribute: shape; one −1 stands for what is left over.
/// Gradient: g in the shape of x.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_count(op, in, 1);
  std::vector<std::int64_t> dims = attrs.list("shape");
  std::int64_t known = 1, open = 0;
  for (const std::int64_t d : dims) {
    open += d == -1 ? 1 : 0;
    known *= d == -1 ? 1 : d;
  }
  const std::int64_t elements = in[0].elements();
  if (open > 1 || known < 1 || (open == 1 ? elements % known : elements - known) != 0) {
    throw ShapeError(fmt::format("reshape: {} cannot become {}", in[0].shape.str(), Shape(dims).str()));
  }
  std::replace(dims.begin(), dims.end(), std::int64_t{-1}, elements / known);
  return {{Shape(std::move(dims)), in[0].dtype}};
}

std::vector<Value> gradient(const GradientCall& call) { return {reshape(call.grads[0], call.inputs[0].shape())}; }

void reference(const ReferenceCall& call) { std::copy(call.in[0].begin(), call.in[0].end(), call.out[0].begin()); }

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  return make_kernel([bytes = spec.in[0].bytes()](const CpuCall& call) { std::memcpy(call.out[0], call.in[0], bytes); });
}

}  // namespace

constinit const DefinedOp reshape_op(
    {.name = "reshape", .infer = infer, .gradient = gradient, .view = true, .reference = reference, .cpu = cpu});

Value reshape(Value x, const Shape& shape) { return x.graph->add(reshape_op, {{"shape", shape.dims()}}, {x}); }

Value flatten(Value x) { return reshape(x, {kBatch, static_cast<std::int64_t>(samples_of(x.shape()).length)}); }

}  // namespace lockstep
