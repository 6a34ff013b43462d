#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "formats/row_source.hpp"

namespace lockstep {

/// IDX, the format of MNIST and its kin: 2 zero bytes, element type (0x08: u8), number of axes, the axes as big-endian u32, then the
/// elements. Plain, gzip or xz. From images u8 [n, h, w] and labels u8 [n]: features u8 [1, h, w], labels i32 []. Throws DataError for
/// files that are no IDX or do not fit each other, and, when they are read, that are cut short or forged.
[[nodiscard]] RowSource idx_rows(const std::filesystem::path& images, const std::filesystem::path& labels);

/// T-shirt/top … Ankle boot. Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747.
[[nodiscard]] std::vector<std::string> fashion_mnist_classes();

}  // namespace lockstep
