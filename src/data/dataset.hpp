#pragma once

#include <functional>
#include <list>
#include <mutex>

#include "data/field_source.hpp"

/// A dataset is a folder of HDF5 shards, shard-00000.h5 and so on. Each shard holds every field as a dataset at its root, [rows, ...],
/// chunked by rows with a Fletcher-32 checksum a chunk; all fields of a shard have the same rows and chunk rows. Root attributes:
///   lockstep_format = 1; rows; shard, shards (this one's number, and how many there are); mean, std (Statistics of features; may be
///   empty), mean:NAME, std:NAME (of other fields; may be missing); classes, columns:NAME (formats/data_names); checksum (SHA-256).
namespace lockstep {

inline constexpr std::int64_t kDatasetFormat = 1;

/// About 128 KiB a chunk, but at least 640 chunks (10 for each of 64 lanes) where that leaves 16 rows or more in each.
[[nodiscard]] std::int64_t auto_chunk_rows(std::int64_t rows, std::size_t row_bytes);

/// Rows that are read at once: rows first … first + rows − 1 of a shard.
struct ChunkInfo {
  int shard = 0;
  std::int64_t first = 0;
  std::int64_t rows = 0;
};

/// The bytes of one chunk, a row-major array for each field, in the order of Dataset::fields().
struct Chunk {
  std::vector<std::vector<std::byte>> fields;
  [[nodiscard]] std::size_t bytes() const;
};

/// A dataset in HDF5 files made elsewhere: the same fields in each, their rows one after another.
struct DataFiles {
  std::vector<std::filesystem::path> files;
  std::vector<FieldSource> sources;
  std::map<std::string, Statistics> statistics{};  ///< of the training set, by field; fields that are not there stay as they are
  std::string content{};                           ///< hash of all rows if it is known; goes into the checksum
};

/// An open dataset, read-only. Cheap to copy; safe to use from several threads.
class Dataset {
 public:
  /// Checks the format, that fields have equal rows and that shards agree. Throws DataError naming the file and the field.
  /// `statistics`: how fields (of fitting shapes) are normalised, instead of as the dataset says; the others stay as they are.
  static Dataset open(const std::filesystem::path& folder, const std::map<std::string, Statistics>* statistics = nullptr);
  /// Shards are the files. Rows are read in pieces of about 128 KiB or, where fields are stored in larger or packed chunks, of whole ones.
  /// Throws DataError naming the file and the field that is not there, cannot be read, or differs between files.
  static Dataset open(const DataFiles& files);

  [[nodiscard]] const std::filesystem::path& path() const { return state_->path; }
  [[nodiscard]] std::int64_t rows() const { return state_->rows; }
  /// In name order.
  [[nodiscard]] const std::vector<Field>& fields() const { return state_->fields; }
  /// Throws DataError naming the fields there are.
  [[nodiscard]] const Field& field(std::string_view name) const { return fields()[field_index(name)]; }
  [[nodiscard]] std::size_t field_index(std::string_view name) const;
  [[nodiscard]] bool has_field(std::string_view name) const;
  /// In natural order: all rows of shard 0, then shard 1, …
  [[nodiscard]] const std::vector<ChunkInfo>& chunks() const { return state_->chunks; }
  [[nodiscard]] const std::vector<std::string>& class_names() const { return state_->classes; }
  /// How a field is normalised; empty if it is not.
  [[nodiscard]] const Statistics& statistics(std::string_view field) const;
  /// Of the features.
  [[nodiscard]] const std::vector<double>& mean() const { return statistics("features").mean; }
  [[nodiscard]] const std::vector<double>& std() const { return statistics("features").std; }
  /// How each field is taken from files made elsewhere; empty for a dataset of ours.
  [[nodiscard]] const std::vector<FieldReading>& readings() const { return state_->readings; }
  /// Hash over the shards' checksums and chunk sizes: all that training sees of the data. Of files made elsewhere: over shapes, types,
  /// statistics, the content where it is known, and the first rows of each file.
  [[nodiscard]] const std::string& checksum() const { return state_->checksum; }
  [[nodiscard]] const std::string& shard_checksum(int shard) const { return state_->shards.at(static_cast<std::size_t>(shard)).checksum; }
  /// The first shard whose file is no longer the one that was opened (by size, time and inode); none: all are.
  [[nodiscard]] std::optional<std::string> changed() const;
  /// "shard-00003.h5"; the path of a file made elsewhere.
  [[nodiscard]] const std::string& shard_name(int shard) const { return state_->shards.at(static_cast<std::size_t>(shard)).name; }
  [[nodiscard]] int shards() const { return static_cast<int>(state_->shards.size()); }
  /// Of one row, all fields; of all rows.
  [[nodiscard]] std::size_t row_bytes() const { return bytes_of_row(fields()); }
  [[nodiscard]] std::size_t bytes() const { return row_bytes() * static_cast<std::size_t>(rows()); }

  /// Throws DataError naming shard, rows and field when the stored bytes are damaged.
  [[nodiscard]] Chunk read_chunk(std::size_t chunk) const;
  /// One field of a chunk.
  [[nodiscard]] std::vector<std::byte> read_field(std::size_t chunk, std::size_t field) const;
  /// Calls `visit(label, chunk, row in the chunk)` for all labels (i32 [n, ...]) of a field. Throws DataError if they are of another type.
  void for_each_label(const std::function<void(std::int32_t, const ChunkInfo&, std::int64_t)>& visit,
                      std::string_view name = "labels") const;

 private:
  struct Shard {
    std::string name;
    std::string checksum;
    std::int64_t rows = 0;
    std::int64_t chunk_rows = 0;
    std::string stamp{};  ///< of the file when it was opened
  };
  struct State {
    std::filesystem::path path;
    std::vector<Shard> shards;
    std::vector<Field> fields;
    std::vector<ChunkInfo> chunks;
    std::vector<FieldReading> readings;
    std::vector<std::string> classes;
    std::map<std::string, Statistics, std::less<>> statistics;
    std::string checksum;
    std::int64_t rows = 0;
    std::mutex mutex;                                                       ///< guards open_files
    std::list<std::pair<int, std::shared_ptr<const Hdf5File>>> open_files;  ///< most recently used first

    [[nodiscard]] std::filesystem::path file_of(const Shard& shard) const {
      return readings.empty() ? path / shard.name : std::filesystem::path(shard.name);
    }
    void add_shard(const std::string& name, int number, int count);
    void add_file(const std::string& name, const std::vector<FieldSource>& sources);
    void add_chunks(int shard);
    [[nodiscard]] std::vector<std::byte> read_rows(const ChunkInfo& where, std::size_t field);
    static Field read_field_info(const Hdf5File& file, const std::string& where, const std::string& name, Shard& shard);
    void check_statistics(const std::string& where) const;
    std::shared_ptr<const Hdf5File> open_shard(int shard);
  };
  explicit Dataset(std::shared_ptr<State> state) : state_(std::move(state)) {}
  [[nodiscard]] std::string checksum_of_files(const std::string& content) const;
  std::shared_ptr<State> state_;
};

/// Reads all labels (i32 [n, ...]) of a field and throws DataError for the first outside 0 … classes − 1, naming value, row and shard.
void check_labels(const Dataset& dataset, std::int64_t classes, std::string_view field = "labels");

/// A run of rows of a dataset in natural order.
struct RowRange {
  std::int64_t first = 0;
  std::int64_t rows = 0;
};

struct Split {
  RowRange train;
  RowRange validation;
};
/// Which rows train and which validate: of the first `limit` rows (0: all) the last ceil(fraction · rows) are kept for validation.
/// The rows are not shuffled first, so a dataset sorted by class needs a validation part of its own.
/// Throws UsageError unless 0 ≤ fraction < 1 and at least one row is left to train.
[[nodiscard]] Split split_rows(std::int64_t rows, std::int64_t limit, double fraction);

}  // namespace lockstep
