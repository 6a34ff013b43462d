#include "data/dataset_writer.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "data/hdf5.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kChunkBytes = 128 << 10;
constexpr std::int64_t kShardBytes = 256 << 20;
constexpr std::int64_t kWantedChunks = 640;
constexpr std::int64_t kLeastChunkRows = 16;

}  // namespace

std::int64_t auto_chunk_rows(std::int64_t rows, std::size_t row_bytes) {
  const std::int64_t by_bytes = kChunkBytes / std::max<std::int64_t>(1, static_cast<std::int64_t>(row_bytes));
  return std::max(kLeastChunkRows, std::min(by_bytes, rows / kWantedChunks));
}

struct DatasetWriter::State {
  std::filesystem::path folder;
  std::filesystem::path part;
  std::vector<Field> fields;
  DatasetOptions options;
  std::int64_t rows;
  std::int64_t appended = 0;
  std::int64_t shard = 0;
  std::int64_t shard_rows = 0;  ///< of the shard being written
  std::int64_t written = 0;     ///< rows of it on disk
  std::int64_t buffered = 0;    ///< rows waiting for their chunk to be full
  std::optional<Hdf5File> file{};
  std::optional<ShardHash> hash{};
  std::vector<std::vector<std::byte>> buffers{};
  bool closed = false;

  [[nodiscard]] std::int64_t shards() const { return (rows + options.rows_per_shard - 1) / options.rows_per_shard; }
  void begin_shard();
  void flush();
  void end_shard();
};

void DatasetWriter::State::begin_shard() {
  shard_rows = std::min(options.rows_per_shard, rows - shard * options.rows_per_shard);
  written = 0;
  file = Hdf5File::create(part / fmt::format("shard-{:05}.h5", shard));
  hash.emplace(fields);
  for (const Field& field : fields) {
    std::vector<std::int64_t> dims{shard_rows};
    dims.insert(dims.end(), field.sample.dims().begin(), field.sample.dims().end());
    // Chunk rows are capped at the shard's, which all fields share.
    file->create_dataset("/" + field.name, hdf5_kind(field.dtype), dims, options.chunk_rows);
  }
}

void DatasetWriter::State::flush() {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    file->write_rows("/" + fields[i].name, hdf5_kind(fields[i].dtype), written, buffered, buffers[i]);
    hash->update(i, buffers[i]);
    buffers[i].clear();
  }
  written += buffered;
  buffered = 0;
  if (written == shard_rows) {
    end_shard();
  }
}

void DatasetWriter::State::end_shard() {
  file->set_attribute("/", "lockstep_format", kDatasetFormat);
  file->set_attribute("/", "rows", shard_rows);
  file->set_attribute("/", "shard", shard);
  file->set_attribute("/", "shards", shards());
  file->set_attribute("/", "mean", options.mean);
  file->set_attribute("/", "std", options.std);
  file->set_attribute("/", "classes", options.class_names);
  file->set_attribute("/", "checksum", hash->finish(options.mean, options.std, options.class_names));
  file->close();
  file.reset();
  ++shard;
}

DatasetWriter::DatasetWriter(std::filesystem::path folder, std::vector<Field> fields, std::int64_t rows, DatasetOptions options)
    : state_(new State{.folder = std::move(folder), .part = {}, .fields = std::move(fields), .options = std::move(options), .rows = rows}) {
  State& s = *state_;
  std::size_t row_bytes = 0;
  for (const Field& field : s.fields) {
    row_bytes += field.row_bytes();
  }
  if (rows < 1 || row_bytes == 0) {
    throw DataError(fmt::format("{}: a dataset of {} rows of {} bytes cannot be made.", s.folder.string(), rows, row_bytes));
  }
  if (std::filesystem::exists(s.folder) && !std::filesystem::is_empty(s.folder)) {
    throw DataError(fmt::format("{}: already holds something.\n  Remove it first, or choose another folder.", s.folder.string()));
  }
  if (s.options.chunk_rows <= 0) {
    s.options.chunk_rows = auto_chunk_rows(rows, row_bytes);
  }
  if (s.options.rows_per_shard <= 0) {
    s.options.rows_per_shard = std::max<std::int64_t>(1, kShardBytes / static_cast<std::int64_t>(row_bytes));
  }
  s.options.rows_per_shard = (s.options.rows_per_shard + s.options.chunk_rows - 1) / s.options.chunk_rows * s.options.chunk_rows;
  s.buffers.resize(s.fields.size());
  s.part = s.folder;
  s.part += ".part";
  std::filesystem::remove_all(s.part);
  std::filesystem::create_directories(s.part);
}

DatasetWriter::~DatasetWriter() {
  if (!state_->closed) {
    state_->file.reset();
    std::error_code ignored;
    std::filesystem::remove_all(state_->part, ignored);
  }
}

void DatasetWriter::append(std::span<const std::span<const std::byte>> values) {
  State& s = *state_;
  const std::int64_t count = values.empty() ? 0 : static_cast<std::int64_t>(values[0].size() / s.fields[0].row_bytes());
  for (std::size_t i = 0; i < s.fields.size(); ++i) {
    if (values.size() != s.fields.size() || values[i].size() != static_cast<std::size_t>(count) * s.fields[i].row_bytes()) {
      throw DataError(fmt::format("{}: the rows to append do not have the same number for every field.", s.folder.string()));
    }
  }
  if (s.appended + count > s.rows) {
    throw DataError(fmt::format("{}: more than the announced {} rows were appended.", s.folder.string(), s.rows));
  }
  s.appended += count;
  for (std::int64_t done = 0; done < count;) {
    if (!s.file) {
      s.begin_shard();
    }
    const std::int64_t room = std::min(s.options.chunk_rows, s.shard_rows - s.written) - s.buffered;
    const std::int64_t take = std::min(room, count - done);
    for (std::size_t i = 0; i < s.fields.size(); ++i) {
      const std::size_t width = s.fields[i].row_bytes();
      const auto rows = values[i].subspan(static_cast<std::size_t>(done) * width, static_cast<std::size_t>(take) * width);
      s.buffers[i].insert(s.buffers[i].end(), rows.begin(), rows.end());
    }
    s.buffered += take;
    done += take;
    if (take == room) {
      s.flush();
    }
  }
}

void DatasetWriter::close() {
  State& s = *state_;
  if (s.appended != s.rows) {
    throw DataError(fmt::format("{}: {} rows were announced, but {} appended.", s.folder.string(), s.rows, s.appended));
  }
  std::filesystem::remove(s.folder);  // an empty folder of that name
  std::filesystem::rename(s.part, s.folder);
  s.closed = true;
}

}  // namespace lockstep
