#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "data/hdf5.hpp"
#include "data/sha256.hpp"
#include "lockstep/tensor.hpp"

/// A dataset is a folder of HDF5 shards, shard-00000.h5 and so on. Each shard holds every field as a dataset at its root, [rows, ...],
/// chunked by rows with a Fletcher-32 checksum a chunk; all fields of a shard have the same rows and chunk rows. Root attributes:
///   lockstep_format = 1; rows; shard, shards (this one's number, and how many there are); mean, std (f64, one a channel or one for all,
///   in units of the stored features; may be empty); classes (names; may be empty); checksum (SHA-256 of the shard's content).
namespace lockstep {

inline constexpr std::int64_t kDatasetFormat = 1;

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

/// An open dataset, read-only. Cheap to copy; safe to use from several threads.
class Dataset {
 public:
  /// Checks the format, that fields have equal rows and that shards agree. Throws DataError naming the file and the field.
  static Dataset open(const std::filesystem::path& folder);

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
  [[nodiscard]] const std::vector<double>& mean() const { return state_->mean; }
  [[nodiscard]] const std::vector<double>& std() const { return state_->std; }
  /// Hash over the shards' checksums and chunk sizes: all that training sees of the data.
  [[nodiscard]] const std::string& checksum() const { return state_->checksum; }
  [[nodiscard]] const std::string& shard_checksum(int shard) const { return state_->shards.at(static_cast<std::size_t>(shard)).checksum; }
  /// "shard-00003.h5"
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
  };
  struct State {
    std::filesystem::path path;
    std::vector<Shard> shards;
    std::vector<Field> fields;
    std::vector<ChunkInfo> chunks;
    std::vector<std::string> classes;
    std::vector<double> mean;
    std::vector<double> std;
    std::string checksum;
    std::int64_t rows = 0;
    std::mutex mutex;                                                       ///< guards open_files
    std::list<std::pair<int, std::shared_ptr<const Hdf5File>>> open_files;  ///< most recently used first

    void add_shard(const std::string& name, int number, int count);
    static Field read_field_info(const Hdf5File& file, const std::string& where, const std::string& name, Shard& shard);
    void check_statistics(const std::string& where) const;
    std::shared_ptr<const Hdf5File> open_shard(int shard);
  };
  explicit Dataset(std::shared_ptr<State> state) : state_(std::move(state)) {}
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

/// SHA-256 of a shard's content: name, type and bytes of every field (in name order), mean, std and classes.
class ShardHash {
 public:
  explicit ShardHash(const std::vector<Field>& fields) : fields_(fields), hashes_(fields.size()) {}
  /// The next rows of one field.
  void update(std::size_t field, std::span<const std::byte> bytes) { hashes_[field].update(bytes); }
  [[nodiscard]] std::string finish(const std::vector<double>& mean, const std::vector<double>& std,
                                   const std::vector<std::string>& classes);

 private:
  std::vector<Field> fields_;
  std::vector<Sha256> hashes_;
};

}  // namespace lockstep
