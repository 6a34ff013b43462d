#pragma once

#include "data/field.hpp"
#include "data/hdf5.hpp"

namespace lockstep {

/// What a field is to a model.
enum class Role : std::uint8_t { input, target, weight };

/// Where a field lies in files made elsewhere, and how to take it: "features=/images:nhwc".
struct FieldSource {
  std::string name;  ///< as the model calls it
  std::string path;  ///< of the HDF5 dataset, or of a .npy file
  Role role = Role::input;
  bool channels_last = false;  ///< :nhwc     rows [height, width, channels] become [channels, height, width]
  bool one_hot = false;        ///< :one-hot  rows [k] of zeros and a single one become its place
  bool index = false;          ///< :index    whole numbers (tokens, classes) whatever their type: i32
  bool real = false;           ///< :real     numbers to compute with whatever their type: f32
  bool raw = false;            ///< :raw      not normalised

  /// "[NAME=]PATH[:HOW]…"; the name is by default features, labels or weight. Throws UsageError.
  static FieldSource parse(std::string_view text, Role role);
  [[nodiscard]] std::string text() const;
};

/// What a source's stored rows become. Inputs: u8 and bool stay u8 (normalised when read), other numbers become f32. Targets: whole
/// numbers are classes, i32, and [n, 1] becomes [n]; others are f32. Weights: f32, [n, 1] becomes [n].
struct FieldReading {
  FieldSource source;
  Field field;
  Shape stored;                ///< of a row
  DType read_as = DType::f32;  ///< what stored elements are converted to before all else
  bool normalised = false;

  /// Throws DataError naming `where` for what cannot be taken so. Requires dims of rank ≥ 1.
  static FieldReading of(const FieldSource& source, const ElementType& type, const std::vector<std::int64_t>& dims,
                         const std::string& where);
  [[nodiscard]] std::size_t stored_bytes() const { return TensorType{stored, read_as}.bytes(); }
  /// Rows of `read_as` elements → rows of the field. The first of them is row `first` of `where`, for the message.
  [[nodiscard]] std::vector<std::byte> convert(std::vector<std::byte> rows, std::int64_t first, const std::string& where) const;
};

}  // namespace lockstep
