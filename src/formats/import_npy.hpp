#pragma once

#include <vector>

#include "data/field_source.hpp"
#include "formats/row_source.hpp"

namespace lockstep {

/// The rows of numpy's arrays, a .npy file a field: the path of each source is a file. Numbers of every type and byte order but complex
/// ones; in C order. Throws DataError naming the file that is none, is cut short, or has other rows than the first.
[[nodiscard]] RowSource npy_rows(const std::vector<FieldSource>& sources);

}  // namespace lockstep
