#include <algorithm>

#include "ops/define.hpp"
#include "ops/one_hot/one_hot.hpp"

/// one_hot: y[..., c] = 1 where c is the label, else 0.  labels i32 [...] → y f32 [..., classes].  Attribute: classes.
/// A label out of range throws DataError when it runs. No gradient flows.
namespace lockstep {
namespace {

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_operands(op, in, {DType::i32});
  if (attrs.integer("classes") < 1) {
    throw ShapeError("one_hot: at least one class is needed");
  }
  std::vector<std::int64_t> dims = in[0].shape.dims();
  dims.push_back(attrs.integer("classes"));
  return {{Shape(std::move(dims)), DType::f32}};
}

void reference(const ReferenceCall& call) {
  const std::int64_t classes = call.attrs.integer("classes");
  std::fill(call.out[0].begin(), call.out[0].end(), 0.0);
  for (std::size_t r = 0; r < call.in[0].size(); ++r) {
    const std::size_t label = checked_index(static_cast<std::int64_t>(call.in[0][r]), classes, "one_hot", "label", r);
    call.out[0][r * static_cast<std::size_t>(classes) + label] = 1;
  }
}

std::unique_ptr<CpuKernel> cpu(const KernelSpec& spec) {
  return make_kernel([rows = rows_of(spec.out[0].shape)](const CpuCall& call) {
    std::fill_n(call.output(0), rows.count * rows.length, 0.0F);
    for (std::size_t r = 0; r < rows.count; ++r) {
      const std::int32_t label = call.input<std::int32_t>(0)[r];
      call.output(0)[r * rows.length + checked_index(label, rows.length, "one_hot", "label", r)] = 1;
    }
  });
}

}  // namespace

constinit const DefinedOp one_hot_op({.name = "one_hot", .infer = infer, .gradient = no_gradient, .reference = reference, .cpu = cpu});

Value one_hot(Value labels, std::int64_t classes) { return labels.graph->add(one_hot_op, {{"classes", classes}}, {labels}); }

}  // namespace lockstep
