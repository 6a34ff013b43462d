#include <cstring>

#include "ops/define.hpp"

/// gather: rows of x along one axis, picked by number.  x [..., rows, ...], indexes i32 [k] → y [..., k, ...], of the type of x:
/// y[o, j, i] = x[o, indexes[j], i].  Attribute: axis (negative from the last). An index out of range throws DataError when it runs.
/// Gradient: gather_backward adds each row of g to the row of x that it came from.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  if (in.size() != 2 || in[1].dtype != DType::i32 || in[1].shape.rank() != 1) {
    throw ShapeError("gather takes a tensor and i32 indexes of one axis");
  }
  return {{with_length(in[0].shape, checked_axis(attrs.integer("axis"), in[0].shape, op), in[1].shape[0]), in[0].dtype}};
}

std::vector<Value> gradient(const GradientCall& call) {
  const int axis = static_cast<int>(call.attrs.integer("axis"));
  const Attrs attrs{{"axis", std::int64_t{axis}}, {"rows", call.inputs[0].shape()[axis]}};
  return {call.graph.add(gather_backward_op, attrs, {call.inputs[1], call.grads[0]}), {}};
}

void reference(const ReferenceCall& call) {
  const AxisView x = view_along(call.in_types[0].shape, call.attrs), y = view_along(call.out_types[0].shape, call.attrs);
  for (std::size_t j = 0; j < y.length; ++j) {
    const auto index = static_cast<std::int64_t>(call.in[1][j]);
    const std::size_t row = checked_index(index, x.length, "gather", "index", j);
    for (std::size_t o = 0; o < y.outer; ++o) {
      for (std::size_t i = 0; i < y.inner; ++i) {
        call.out[0][(o * y.length + j) * y.inner + i] = call.in[0][(o * x.length + row) * x.inner + i];
      }
    }
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  const AxisView x = view_along(spec.in[0].shape, spec.attrs), y = view_along(spec.out[0].shape, spec.attrs);
  return make_kernel([x, y, unit = x.inner * size_of(spec.in[0].dtype)](const CpuCall& call) {
    for (std::size_t j = 0; j < y.length; ++j) {
      const std::size_t row = checked_index(call.input<std::int32_t>(1)[j], x.length, "gather", "index", j);
      for (std::size_t o = 0; o < y.outer; ++o) {
        std::memcpy(call.out[0] + (o * y.length + j) * unit, call.in[0] + (o * x.length + row) * unit, unit);
      }
    }
  });
}

}  // namespace

constinit const DefinedOp gather_op({.name = "gather", .infer = infer, .gradient = gradient, .reference = reference, .cpu = cpu});

Value gather(Value x, Value indexes, std::int64_t axis) { return x.graph->add(gather_op, {{"axis", axis}}, {x, indexes}); }

}  // namespace lockstep
