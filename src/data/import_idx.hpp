#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

/// IDX, the format of MNIST and its kin: 2 zero bytes, element type (0x08: u8), number of axes, the axes as big-endian u32, then the
/// elements. Plain, gzip or xz.
struct IdxPair {
  std::filesystem::path images{};  ///< u8 [n, h, w]
  std::filesystem::path labels{};  ///< u8 [n]
  std::int64_t limit = 0;          ///< the first rows only; 0: all
};

struct IdxImport {
  IdxPair train{};
  std::optional<IdxPair> test{};
  std::vector<std::string> class_names{};
  std::int64_t chunk_rows = 0;
  std::int64_t rows_per_shard = 0;
};

struct ImportResult {
  std::int64_t train_rows = 0;
  std::int64_t test_rows = 0;
  double mean = 0;  ///< of the training pixels, 0 … 255
  double std = 0;
};

/// Makes the datasets `out`/train and, if asked, `out`/test: features u8 [n, 1, h, w], labels i32 [n]. Both parts carry the training
/// part's mean and std. Throws DataError for files that are no IDX, cut short, forged or do not fit each other, for labels without
/// a class name, and if `out` already holds these datasets.
ImportResult import_idx(const IdxImport& what, const std::filesystem::path& out);

/// T-shirt/top … Ankle boot. Xiao, Rasul, Vollgraf 2017, arXiv 1708.07747.
[[nodiscard]] std::vector<std::string> fashion_mnist_classes();

}  // namespace lockstep
