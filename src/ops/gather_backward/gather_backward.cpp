#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "ops/define.hpp"

/// gather_backward: rows of g added up where gather took them from.  indexes i32 [k], g [..., k, ...] → y [..., rows, ...], f32:
/// y[o, r, i] = Σ over j with indexes[j] = r of g[o, j, i], in the order of j.  Attributes: axis (negative from the last), rows.
/// Gradient: g gathered; none for the indexes.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_operands(op, in, {DType::i32, DType::f32});
  const int axis = checked_axis(attrs.integer("axis"), in[1].shape, op);
  if (in[0].shape.rank() != 1 || in[0].shape[0] != in[1].shape[axis]) {
    throw ShapeError(fmt::format("gather_backward: the indexes {} do not belong to {}", in[0].shape.str(), in[1].shape.str()));
  }
  return {{with_length(in[1].shape, axis, attrs.integer("rows")), DType::f32}};
}

std::vector<Value> gradient(const GradientCall& call) { return {{}, gather(call.grads[0], call.inputs[0], call.attrs.integer("axis"))}; }

void reference(const ReferenceCall& call) {
  const AxisView g = view_along(call.in_types[1].shape, call.attrs), y = view_along(call.out_types[0].shape, call.attrs);
  std::fill(call.out[0].begin(), call.out[0].end(), 0.0);
  for (std::size_t j = 0; j < g.length; ++j) {
    const auto index = static_cast<std::int64_t>(call.in[0][j]);
    const std::size_t row = checked_index(index, y.length, "gather_backward", "index", j);
    for (std::size_t o = 0; o < g.outer; ++o) {
      for (std::size_t i = 0; i < g.inner; ++i) {
        call.out[0][(o * y.length + row) * y.inner + i] += call.in[1][(o * g.length + j) * g.inner + i];
      }
    }
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
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

constinit const DefinedOp gather_backward_op(
    {.name = "gather_backward", .infer = infer, .gradient = gradient, .reference = reference, .cpu = cpu});

}  // namespace lockstep
