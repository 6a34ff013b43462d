#include "ops/reduction.hpp"

#include <fmt/format.h>

namespace lockstep {
namespace {

std::vector<bool> reduced_axes(const Shape& shape, const Attrs& attrs, std::string_view op) {
  const std::vector<std::int64_t>& axes = attrs.list("axes");
  std::vector<bool> reduced(shape.dims().size(), axes.empty());
  for (const std::int64_t axis : axes) {
    const auto i = static_cast<std::size_t>(checked_axis(axis, shape, op));
    if (reduced[i]) {
      throw ShapeError(fmt::format("{}: axis {} of {} is given twice", op, axis, shape.str()));
    }
    reduced[i] = true;
  }
  return reduced;
}

}  // namespace

Shape kept_shape(const Shape& shape, const Attrs& attrs, std::string_view op) {
  const std::vector<bool> reduced = reduced_axes(shape, attrs, op);
  std::vector<std::int64_t> dims = shape.dims();
  for (std::size_t i = 0; i < dims.size(); ++i) {
    dims[i] = reduced[i] ? 1 : dims[i];
  }
  return Shape(std::move(dims));
}

std::vector<TensorType> reduction_infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_operands(op, in, {DType::f32});
  if (attrs.integer("keep") != 0) {
    return {{kept_shape(in[0].shape, attrs, op), DType::f32}};
  }
  const std::vector<bool> reduced = reduced_axes(in[0].shape, attrs, op);
  std::vector<std::int64_t> dims;
  for (std::size_t i = 0; i < reduced.size(); ++i) {
    if (!reduced[i]) {
      dims.push_back(in[0].shape.dims()[i]);
    }
  }
  return {{Shape(std::move(dims)), DType::f32}};
}

void reduction_cost(Cost& cost, std::span<const TensorType> in, const Attrs&) { cost.flops = static_cast<double>(in[0].elements()); }

Value spread(Value reduced, Value x, const Attrs& attrs) {
  const Shape kept = kept_shape(x.shape(), attrs, "spread");
  const Value aligned = reduced.shape() == kept ? reduced : reshape(reduced, kept);
  return kept == x.shape() ? aligned : broadcast_to(aligned, x.shape());
}

Attrs reduction_attrs(const std::vector<std::int64_t>& axes, bool keep) { return {{"axes", axes}, {"keep", std::int64_t{keep}}}; }

void reduction_layouts(KernelSpec& spec) {
  if (spec.in_layouts[0] == Layout::channels_last) {
    const std::vector<bool> reduced = reduced_axes(spec.in[0].shape, spec.attrs, "reduction");
    spec.in_layouts[0] = reduced[1] || (reduced[2] && reduced[3]) ? Layout::channels_last : Layout::plain;
  }
}

ReductionShape reduction_shape(const KernelSpec& spec) {
  std::vector<std::int64_t> dims = spec.in[0].shape.dims();
  std::vector<bool> reduced = reduced_axes(spec.in[0].shape, spec.attrs, "reduction");
  if (spec.in_layouts[0] == Layout::channels_last) {
    std::rotate(dims.begin() + 1, dims.begin() + 2, dims.end());
    std::rotate(reduced.begin() + 1, reduced.begin() + 2, reduced.end());
  }
  std::vector<std::size_t> lengths;
  std::vector<bool> kinds;  // true: reduced
  for (std::size_t i = 0; i < reduced.size(); ++i) {
    const auto length = static_cast<std::size_t>(dims[i]);
    if (length == 1) {
      continue;
    }
    if (kinds.empty() || kinds.back() != reduced[i]) {
      lengths.push_back(1);
      kinds.push_back(reduced[i]);
    }
    lengths.back() *= length;
  }
  // The last two groups are the block of rows; where one is missing it has length 1.
  if (kinds.empty()) {
    return {};
  }
  ReductionShape result;
  result.length = lengths.back();
  result.rows_reduced = !kinds.back();
  lengths.pop_back();
  if (!lengths.empty()) {
    result.rows = lengths.back();
    lengths.pop_back();
  }
  kinds.resize(lengths.size());
  std::vector<std::size_t> strides(lengths.size(), 0);
  std::size_t stride = result.rows_reduced ? result.length : result.rows;
  for (std::size_t i = lengths.size(); i-- > 0;) {
    strides[i] = kinds[i] ? 0 : stride;
    stride *= kinds[i] ? 1 : lengths[i];
  }
  result.outer = StridedWalk(std::move(lengths), std::move(strides));
  return result;
}

}  // namespace lockstep
