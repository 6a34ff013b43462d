#pragma once

#include "lockstep/tensor.hpp"

namespace lockstep {

/// One named column of a dataset: f32, i32 or u8; `sample` is the shape of one row.
struct Field {
  std::string name;
  Shape sample;
  DType dtype = DType::f32;

  [[nodiscard]] std::size_t row_bytes() const { return TensorType{sample, dtype}.bytes(); }
  bool operator==(const Field&) const = default;
};

/// Of one row of all the fields.
[[nodiscard]] std::size_t bytes_of_row(const std::vector<Field>& fields);

/// How a field is normalised when it is read, (x − mean) / std: one number a channel (first axis of a row) or column, or one for all;
/// empty: values stay as they are. What a model predicts of a target is un-scaled by y · std + mean.
struct Statistics {
  std::vector<double> mean{};
  std::vector<double> std{};
  bool operator==(const Statistics&) const = default;
};

}  // namespace lockstep
