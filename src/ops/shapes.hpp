#pragma once

#include "lockstep/op.hpp"

namespace lockstep {

/// Throws ShapeError naming `op` unless there are `count` operands.
void check_count(std::string_view op, std::span<const TensorType> in, std::size_t count);
/// Throws ShapeError naming `op` unless the operands are as many as `dtypes` and have these element types.
void check_operands(std::string_view op, std::span<const TensorType> in, const std::vector<DType>& dtypes);

/// Axis `axis` of a shape; a negative one counts from the last. Throws ShapeError naming `op`.
[[nodiscard]] int checked_axis(std::int64_t axis, const Shape& shape, std::string_view op);

/// An index that data gave, where 0 … count−1 are allowed. Throws DataError: "`op`: the `what` 17 at place 3 is not in 0 … 9".
[[nodiscard]] std::size_t checked_index(std::int64_t index, std::size_t count, std::string_view op, std::string_view what,
                                        std::size_t place);

/// The shape with another length of one axis.
[[nodiscard]] Shape with_length(const Shape& shape, int axis, std::int64_t length);

/// The attribute "shape" with −1 replaced by the number of samples, the attribute "batch", which the graph sets.
[[nodiscard]] Shape batch_shape(const Attrs& attrs);

/// A tensor seen along one axis, as [outer, length, inner].
struct AxisView {
  std::size_t outer, length, inner;
};
[[nodiscard]] AxisView view_along(const Shape& shape, int axis);
/// Along the axis that the attribute "axis" names, which `infer` has checked.
[[nodiscard]] AxisView view_along(const Shape& shape, const Attrs& attrs);

/// The rows that ops over the last axis work on; a tensor of rank 0 is one row of one element.
struct Rows {
  std::size_t count, length;
};
[[nodiscard]] Rows rows_of(const Shape& shape);

/// The samples of a tensor: its first axis; a tensor of rank 0 is one sample.
[[nodiscard]] Rows samples_of(const Shape& shape);

/// Steps through the positions of `lengths`, the last axis fastest, and knows Σ position·stride. After the last position it stands at
/// the first again.
class StridedWalk {
 public:
  StridedWalk() = default;
  StridedWalk(std::vector<std::size_t> lengths, std::vector<std::size_t> strides)
      : lengths_(std::move(lengths)), strides_(std::move(strides)), position_(lengths_.size(), 0) {}
  [[nodiscard]] std::size_t index() const { return index_; }
  [[nodiscard]] std::size_t count() const;
  void next();

 private:
  std::vector<std::size_t> lengths_, strides_, position_;
  std::size_t index_ = 0;
};

/// Row-major strides of a shape, in elements.
[[nodiscard]] std::vector<std::size_t> strides_of(const Shape& shape);

/// Walks over the elements of `to` and knows the place of the element of `from` that broadcasting puts there.
[[nodiscard]] StridedWalk broadcast_walk(const Shape& from, const Shape& to);

}  // namespace lockstep
