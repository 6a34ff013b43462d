#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ops/define.hpp"

/// pad: zeros before and after along one axis.  x [..., length, ...] → y [..., before + length + after, ...], of any type.
/// Attributes: axis (negative from the last), before, after.
/// Gradient: the slice of g that stems from x.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_count(op, in, 1);
  const int axis = checked_axis(attrs.integer("axis"), in[0].shape, op);
  const std::int64_t before = attrs.integer("before"), after = attrs.integer("after");
  if (before < 0 || after < 0) {
    throw ShapeError(fmt::format("pad: {} zeros before and {} after: a number below 0", before, after));
  }
  return {{with_length(in[0].shape, axis, before + in[0].shape[axis] + after), in[0].dtype}};
}

std::vector<Value> gradient(const GradientCall& call) {
  const std::int64_t axis = call.attrs.integer("axis"), before = call.attrs.integer("before");
  return {slice(call.grads[0], axis, before, before + call.inputs[0].shape()[static_cast<int>(axis)])};
}

void reference(const ReferenceCall& call) {
  const AxisView x = view_along(call.in_types[0].shape, call.attrs), y = view_along(call.out_types[0].shape, call.attrs);
  const auto before = static_cast<std::size_t>(call.attrs.integer("before"));
  std::fill(call.out[0].begin(), call.out[0].end(), 0.0);
  for (std::size_t o = 0; o < x.outer; ++o) {
    for (std::size_t i = 0; i < x.length * x.inner; ++i) {
      call.out[0][(o * y.length + before) * y.inner + i] = call.in[0][o * x.length * x.inner + i];
    }
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  const AxisView x = view_along(spec.in[0].shape, spec.attrs);
  const std::size_t unit = x.inner * size_of(spec.in[0].dtype);  // bytes of one element of the axis
  const std::size_t before = static_cast<std::size_t>(spec.attrs.integer("before")) * unit;
  const std::size_t after = static_cast<std::size_t>(spec.attrs.integer("after")) * unit;
  return make_kernel([before, after, outer = x.outer, kept = x.length * unit](const CpuCall& call) {
    std::byte* y = call.out[0];
    for (std::size_t o = 0; o < outer; ++o, y += before + kept + after) {
      std::memset(y, 0, before);
      std::memcpy(y + before, call.in[0] + o * kept, kept);
      std::memset(y + before + kept, 0, after);
    }
  });
}

}  // namespace

constinit const DefinedOp pad_op({.name = "pad", .infer = infer, .gradient = gradient, .reference = reference, .cpu = cpu});

Value pad(Value x, std::int64_t axis, std::int64_t before, std::int64_t after) {
  if (before == 0 && after == 0) {
    return x;
  }
  return x.graph->add(pad_op, {{"axis", axis}, {"before", before}, {"after", after}}, {x});
}

}  // namespace lockstep
