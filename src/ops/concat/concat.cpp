#include <fmt/format.h>

#include <cstring>

#include "ops/define.hpp"

/// concat: tensors one after another along one axis.  parts [..., lengthᵢ, ...] → y [..., Σ lengthᵢ, ...], all of one type.
/// Attribute: axis (negative from the last).
/// Gradient: to each part its slice of g.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  if (in.empty()) {
    throw ShapeError("concat takes at least one operand");
  }
  const int axis = checked_axis(attrs.integer("axis"), in[0].shape, op);
  std::int64_t length = 0;
  for (const TensorType& part : in) {
    const bool fits = part.dtype == in[0].dtype && part.shape.rank() == in[0].shape.rank() &&
                      with_length(part.shape, axis, 1) == with_length(in[0].shape, axis, 1);
    if (!fits) {
      throw ShapeError(fmt::format("concat: {} and {} do not fit together along axis {}", in[0].str(), part.str(), axis));
    }
    length += part.shape[axis];
  }
  return {{with_length(in[0].shape, axis, length), in[0].dtype}};
}

std::vector<Value> gradient(const GradientCall& call) {
  const std::int64_t axis = call.attrs.integer("axis");
  std::vector<Value> result;
  std::int64_t begin = 0;
  for (const Value& part : call.inputs) {
    const std::int64_t end = begin + part.shape()[static_cast<int>(axis)];
    result.push_back(slice(call.grads[0], axis, begin, end));
    begin = end;
  }
  return result;
}

void reference(const ReferenceCall& call) {
  const AxisView y = view_along(call.out_types[0].shape, call.attrs);
  std::size_t begin = 0;
  for (std::size_t k = 0; k < call.in.size(); ++k) {
    const std::size_t run = view_along(call.in_types[k].shape, call.attrs).length * y.inner;
    for (std::size_t o = 0; o < y.outer; ++o) {
      for (std::size_t i = 0; i < run; ++i) {
        call.out[0][o * y.length * y.inner + begin + i] = call.in[k][o * run + i];
      }
    }
    begin += run;
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  std::vector<std::size_t> runs;  // bytes that each part gives at a time
  for (const TensorType& part : spec.in) {
    const AxisView x = view_along(part.shape, spec.attrs);
    runs.push_back(x.length * x.inner * size_of(part.dtype));
  }
  return make_kernel([runs, outer = view_along(spec.in[0].shape, spec.attrs).outer](const CpuCall& call) {
    std::byte* y = call.out[0];
    for (std::size_t o = 0; o < outer; ++o) {
      for (std::size_t k = 0; k < runs.size(); y += runs[k], ++k) {
        std::memcpy(y, call.in[k] + o * runs[k], runs[k]);
      }
    }
  });
}

}  // namespace

constinit const DefinedOp concat_op({.name = "concat", .infer = infer, .gradient = gradient, .reference = reference, .cpu = cpu});

Value concat(const std::vector<Value>& parts, std::int64_t axis) {
  if (parts.empty()) {
    throw ShapeError("concat takes at least one operand");
  }
  return parts[0].graph->add(concat_op, {{"axis", axis}}, parts);
}

}  // namespace lockstep
