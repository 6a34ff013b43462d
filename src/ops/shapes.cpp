#include "ops/shapes.hpp"

#include <fmt/format.h>

#include <functional>
#include <numeric>

namespace lockstep {

void check_count(std::string_view op, std::span<const TensorType> in, std::size_t count) {
  if (in.size() != count) {
    throw ShapeError(fmt::format("{} takes {} operand{}, not {}", op, count, count == 1 ? "" : "s", in.size()));
  }
}

void check_operands(std::string_view op, std::span<const TensorType> in, const std::vector<DType>& dtypes) {
  check_count(op, in, dtypes.size());
  for (std::size_t i = 0; i < in.size(); ++i) {
    if (in[i].dtype != dtypes[i]) {
      throw ShapeError(fmt::format("{}: operand {} must be {}, but is {}", op, i, name_of(dtypes[i]), in[i].str()));
    }
  }
}

int checked_axis(std::int64_t axis, const Shape& shape, std::string_view op) {
  const std::int64_t from_first = axis < 0 ? axis + shape.rank() : axis;
  if (from_first < 0 || from_first >= shape.rank()) {
    throw ShapeError(fmt::format("{}: there is no axis {} in {}", op, axis, shape.str()));
  }
  return static_cast<int>(from_first);
}

std::size_t checked_index(std::int64_t index, std::size_t count, std::string_view op, std::string_view what, std::size_t place) {
  if (index < 0 || index >= static_cast<std::int64_t>(count)) {
    throw DataError(fmt::format("{}: the {} {} at place {} is not in 0 … {}", op, what, index, place, count - 1));
  }
  return static_cast<std::size_t>(index);
}

Shape with_length(const Shape& shape, int axis, std::int64_t length) {
  std::vector<std::int64_t> dims = shape.dims();
  dims[static_cast<std::size_t>(axis)] = length;
  return Shape(std::move(dims));
}

Shape batch_shape(const Attrs& attrs) {
  std::vector<std::int64_t> dims = attrs.list("shape");
  for (std::int64_t& d : dims) {
    d = d == kBatch ? attrs.integer("batch") : d;
  }
  return Shape(std::move(dims));
}

AxisView view_along(const Shape& shape, int axis) {
  AxisView view{1, static_cast<std::size_t>(shape[axis]), 1};
  for (int i = 0; i < shape.rank(); ++i) {
    (i < axis ? view.outer : view.inner) *= i == axis ? 1 : static_cast<std::size_t>(shape[i]);
  }
  return view;
}

AxisView view_along(const Shape& shape, const Attrs& attrs) {
  return view_along(shape, checked_axis(attrs.integer("axis"), shape, "axis"));
}

Rows rows_of(const Shape& shape) {
  if (shape.rank() == 0) {
    return {1, 1};
  }
  const AxisView view = view_along(shape, shape.rank() - 1);
  return {view.outer, view.length};
}

Rows samples_of(const Shape& shape) {
  if (shape.rank() == 0) {
    return {1, 1};
  }
  const AxisView view = view_along(shape, 0);
  return {view.length, view.inner};
}

std::size_t StridedWalk::count() const { return std::accumulate(lengths_.begin(), lengths_.end(), std::size_t{1}, std::multiplies<>()); }

void StridedWalk::next() {
  for (std::size_t axis = lengths_.size(); axis-- > 0;) {
    index_ += strides_[axis];
    if (++position_[axis] < lengths_[axis]) {
      return;
    }
    index_ -= strides_[axis] * lengths_[axis];
    position_[axis] = 0;
  }
}

std::vector<std::size_t> strides_of(const Shape& shape) {
  std::vector<std::size_t> strides(shape.dims().size());
  std::size_t stride = 1;
  for (std::size_t i = strides.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= static_cast<std::size_t>(shape.dims()[i]);
  }
  return strides;
}

StridedWalk broadcast_walk(const Shape& from, const Shape& to) {
  const std::vector<std::size_t> from_strides = strides_of(from);
  std::vector<std::size_t> strides(to.dims().size(), 0);
  for (std::size_t i = 1; i <= from_strides.size(); ++i) {
    const bool spread = from.dims()[from_strides.size() - i] == 1;
    strides[strides.size() - i] = spread ? 0 : from_strides[from_strides.size() - i];
  }
  return {{to.dims().begin(), to.dims().end()}, std::move(strides)};
}

}  // namespace lockstep
