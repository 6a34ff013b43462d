#include <fmt/format.h>

#include <cstring>

#include "ops/define.hpp"

/// slice: elements begin … end−1 of one axis.  x [..., length, ...] → y [..., end − begin, ...], of any type.
/// Attributes: axis (negative from the last), begin, end.
/// Gradient: g with zeros before and after.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_count(op, in, 1);
  const int axis = checked_axis(attrs.integer("axis"), in[0].shape, op);
  const std::int64_t begin = attrs.integer("begin"), end = attrs.integer("end");
  if (begin < 0 || begin >= end || end > in[0].shape[axis]) {
    throw ShapeError(fmt::format("slice: there are no elements {} … {} along axis {} of {}", begin, end - 1, axis, in[0].shape.str()));
  }
  return {{with_length(in[0].shape, axis, end - begin), in[0].dtype}};
}

std::vector<Value> gradient(const GradientCall& call) {
  const std::int64_t axis = call.attrs.integer("axis"), length = call.inputs[0].shape()[static_cast<int>(axis)];
  return {pad(call.grads[0], axis, call.attrs.integer("begin"), length - call.attrs.integer("end"))};
}

void reference(const ReferenceCall& call) {
  const AxisView x = view_along(call.in_types[0].shape, call.attrs), y = view_along(call.out_types[0].shape, call.attrs);
  const auto begin = static_cast<std::size_t>(call.attrs.integer("begin"));
  for (std::size_t o = 0; o < y.outer; ++o) {
    for (std::size_t i = 0; i < y.length * y.inner; ++i) {
      call.out[0][o * y.length * y.inner + i] = call.in[0][(o * x.length + begin) * x.inner + i];
    }
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  const AxisView x = view_along(spec.in[0].shape, spec.attrs), y = view_along(spec.out[0].shape, spec.attrs);
  const std::size_t unit = x.inner * size_of(spec.in[0].dtype);  // bytes of one element of the axis
  const std::size_t skip = static_cast<std::size_t>(spec.attrs.integer("begin")) * unit;
  return make_kernel([skip, outer = y.outer, from = x.length * unit, to = y.length * unit](const CpuCall& call) {
    for (std::size_t o = 0; o < outer; ++o) {
      std::memcpy(call.out[0] + o * to, call.in[0] + o * from + skip, to);
    }
  });
}

}  // namespace

constinit const DefinedOp slice_op({.name = "slice", .infer = infer, .gradient = gradient, .reference = reference, .cpu = cpu});

Value slice(Value x, std::int64_t axis, std::int64_t begin, std::int64_t end) {
  return x.graph->add(slice_op, {{"axis", axis}, {"begin", begin}, {"end", end}}, {x});
}

}  // namespace lockstep
