#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "data/dataset.hpp"

namespace lockstep {

/// Takes some whole rows: the same number for each field.
using RowSink = std::function<void(std::span<const std::span<const std::byte>>)>;

/// Rows of a file of some format, on their way to become a dataset. They are read as often as asked, and are the same each time.
struct RowSource {
  std::vector<Field> fields;
  std::int64_t rows = 0;
  std::set<std::string> normalised{};  ///< fields to normalise by the training rows; "weight" is divided by its mean
  std::function<void(const RowSink& take)> read;
  std::map<std::string, std::vector<std::string>> columns{};  ///< names of a field's columns, where they are known
  std::int64_t left_out = 0;                                  ///< rows that lack a value
};

struct ImportOptions {
  std::vector<std::string> class_names{};
  std::int64_t chunk_rows = 0;      ///< 0: auto_chunk_rows
  std::int64_t rows_per_shard = 0;  ///< 0: about 256 MiB
};

/// Makes the datasets `out`/train and, if asked, `out`/test; both carry the training rows' statistics. Reads each source twice at most.
/// A field `weight` of the test part is left out. Throws DataError if the two have other fields, for values that are not finite, labels
/// without a class name, and if `out` already holds one of these datasets; then it makes neither.
void import_rows(const RowSource& train, const std::optional<RowSource>& test_part, const std::filesystem::path& out,
                 const ImportOptions& options);

/// The rows of an open dataset.
[[nodiscard]] RowSource rows_of(const Dataset& dataset);

/// The rows without NaN and infinite values. Reads the source once.
[[nodiscard]] RowSource finite_rows(RowSource source);

/// The first so many rows.
[[nodiscard]] RowSource first_rows(RowSource source, std::int64_t limit);

/// Every row goes to one of the two, by a permutation keyed by `seed`; the second gets round(fraction · rows). Throws UsageError unless
/// both get some.
[[nodiscard]] std::pair<RowSource, RowSource> split_source(const RowSource& source, double fraction, std::uint64_t seed);

}  // namespace lockstep
