#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "data/sha256.hpp"

namespace lockstep {

/// SHA-256 of a shard's content: name, type and bytes of every field (in name order), statistics and classes.
class ShardHash {
 public:
  explicit ShardHash(const std::vector<Field>& fields) : fields_(fields), hashes_(fields.size()) {}
  /// The next rows of one field.
  void update(std::size_t field, std::span<const std::byte> bytes) { hashes_[field].update(bytes); }
  /// `of` gives mean, std and classes.
  [[nodiscard]] std::string finish(const std::function<const Statistics&(const std::string& field)>& of,
                                   const std::vector<std::string>& classes);

 private:
  std::vector<Field> fields_;
  std::vector<Sha256> hashes_;
};

struct DatasetOptions {
  std::vector<std::string> class_names{};
  std::vector<double> mean{};  ///< one a channel (second axis of features [n, C, ...]) or one for all; empty: features are used as they are
  std::vector<double> std{};   ///< as many as mean, all > 0
  std::map<std::string, Statistics> statistics{};             ///< of other fields
  std::int64_t chunk_rows = 0;                                ///< 0: auto_chunk_rows
  std::int64_t rows_per_shard = 0;                            ///< rounded up to whole chunks; 0: about 256 MiB
  std::map<std::string, std::vector<std::string>> columns{};  ///< names of a field's columns
};

/// Writes a dataset row by row into `folder` + ".part" and renames that at the end, so no half-written dataset is ever seen.
class DatasetWriter {
 public:
  /// Requires rows ≥ 1 (all that will be appended), fields f32, i32 or u8. Throws DataError if `folder` already holds something.
  DatasetWriter(std::filesystem::path folder, std::vector<Field> fields, std::int64_t rows, DatasetOptions options);
  DatasetWriter(const DatasetWriter&) = delete;
  DatasetWriter& operator=(const DatasetWriter&) = delete;
  /// Removes what was written if `close` was not reached.
  ~DatasetWriter();

  /// `values` holds the same number of whole rows for each field, in the order given to the constructor.
  void append(std::span<const std::span<const std::byte>> values);
  /// Throws DataError unless exactly the announced number of rows was appended.
  void close();

 private:
  [[nodiscard]] std::int64_t shards() const { return (rows_ + options_.rows_per_shard - 1) / options_.rows_per_shard; }
  [[nodiscard]] const Statistics& statistics_of(const std::string& field) const;
  void begin_shard();
  void flush();
  void end_shard();

  std::filesystem::path folder_, part_;
  std::vector<Field> fields_;
  DatasetOptions options_;
  std::int64_t rows_;
  std::int64_t appended_ = 0;
  std::int64_t shard_ = 0;
  std::int64_t shard_rows_ = 0;  ///< of the shard being written
  std::int64_t written_ = 0;     ///< rows of it on disk
  std::int64_t buffered_ = 0;    ///< rows waiting for their chunk to be full
  std::optional<Hdf5File> file_;
  std::optional<ShardHash> hash_;
  std::vector<std::vector<std::byte>> buffers_;
};

}  // namespace lockstep
