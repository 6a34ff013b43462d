#include <fmt/format.h>

#include <cstring>

#include "ops/define.hpp"

/// gather: rows of x along one axis, picked by number.  x [..., rows, ...], indexes i32 [k] → y [..., k, ...], of the type of x:
/// y[o, j, i] = x[o, indexes[j], i].  Attribute: axis (negative from the last). An index out of range throws DataError when it runs.
/// Gradient: gather_backward adds each row of g to the row of x that it came from.
///
/// gather_backward: rows of g added up where gather took them from.  indexes i32 [k], g [..., k, ...] → y [..., rows, ...], f32:
/// y[o, r, i] = Σ over j with indexes[j] = r of g[o, j, i], in the order of j.  Attributes: axis (negative from the last), rows.
/// Gradient: g gathered; none for the indexes.
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

std::vector<TensorType> backward_infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_operands(op, in, {DType::i32, DType::f32});
  const int axis = checked_axis(attrs.integer("axis"), in[1].shape, op);
  if (in[0].shape.rank() != 1 || in[0].shape[0] != in[1].shape[axis]) {
    throw ShapeError(fmt::format("gather_backward: the indexes {} do not belong to {}", in[0].shape.str(), in[1].shape.str()));
  }
  return {{with_length(in[1].shape, axis, attrs.integer("rows")), DType::f32}};
}

std::vector<Value> backward_gradient(const GradientCall& call) {
  return {{}, gather(call.grads[0], call.inputs[0], call.attrs.integer("axis"))};
}

std::unique_ptr<CpuKernel> backward_cpu(const KernelSpec& spec) {
  const AxisView g = view_along(spec.in[1].shape, spec.attrs), y = view_along(spec.out[0].shape, spec.attrs);
  return make_kernel([g, y, bytes = spec.out[0].bytes()](const CpuCall& call) {
    std::memset(call.out[0], 0, bytes);
    for (std::size_t j = 0; j < g.length; ++j) {
      const std::int32_t index = call.input<std::int32_t>(0)[j];
      const std::size_t row = checked_index(index, y.length, "gather_backward", "index", j);
      for (std::size_t o = 0; o < g.outer; ++o) {
        float* const to = call.output(0) + (o * y.length + row) * y.inner;
        const float* const from = call.input(1) + (o * g.length + j) * g.inner;
        for (std::size_t i = 0; i < g.inner; ++i) {
          to[i] += from[i];
        }
      }
    }
  });
}

}  // namespace

constinit const DefinedOp gather_op({.name = "gather", .infer = infer, .gradient = gradient, .reference = gather_reference, .cpu = cpu});

constinit const DefinedOp gather_backward_op({.name = "gather_backward",
                                              .infer = backward_infer,
                                              .gradient = backward_gradient,
                                              .reference = gather_backward_reference,
                                              .cpu = backward_cpu});

Value gather(Value x, Value indexes, std::int64_t axis) { return x.graph->add(gather_op, {{"axis", axis}}, {x, indexes}); }

}  // namespace lockstep
