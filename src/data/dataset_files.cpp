#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "data/dataset.hpp"
#include "data/sha256.hpp"

namespace lockstep {
namespace {

/// Stored chunks of at most this size are read again for each piece of them, rather than made the unit that is read.
constexpr std::int64_t kSmallChunk = 128 << 10;
/// HDF5 reads chunks up to this size whole; of a larger one that is not packed only what is asked for.
constexpr std::int64_t kCachedChunk = 1 << 20;
/// Files whose first rows go into the checksum.
constexpr std::size_t kSampledFiles = 16;

/// Rows of which a file should be read a multiple at once: those of a stored chunk, where reading a part of it costs as much as reading
/// it all.
std::int64_t whole_rows(const std::vector<Hdf5Storage>& stored) {
  std::int64_t whole = 1;
  for (const Hdf5Storage& field : stored) {
    if (field.chunk.empty()) {
      continue;
    }
    std::int64_t bytes = static_cast<std::int64_t>(field.type.bytes) * std::min(field.chunk[0], field.dims[0]);
    for (std::size_t axis = 1; axis < field.dims.size(); ++axis) {
      bytes *= field.dims[axis];
    }
    whole = bytes > kSmallChunk && (field.filtered || bytes <= kCachedChunk) ? std::max(whole, field.chunk[0]) : whole;
  }
  return whole;
}

std::string describe(const FieldReading& reading) {
  return fmt::format("{} {} from {}", name_of(reading.field.dtype), reading.field.sample.str(), reading.stored.str());
}

}  // namespace

std::int64_t auto_chunk_rows(std::int64_t rows, std::size_t row_bytes) {
  constexpr std::int64_t kChunkBytes = 128 << 10, kWantedChunks = 640, kLeastRows = 16;
  const std::int64_t by_bytes = kChunkBytes / std::max<std::int64_t>(1, static_cast<std::int64_t>(row_bytes));
  return std::max(kLeastRows, std::min(by_bytes, rows / kWantedChunks));
}

void Dataset::State::add_file(const std::string& name, const std::vector<FieldSource>& sources) {
  const Hdf5File file = Hdf5File::open(name);
  Shard shard{name, "", 0, 0};
  std::vector<FieldReading> found;
  std::vector<Hdf5Storage> stored;
  for (const FieldSource& source : sources) {
    const Hdf5Storage& storage = stored.emplace_back(file.storage(source.path));
    if (!storage.trouble.empty()) {
      throw DataError(storage.trouble);
    }
    if (storage.dims.empty() || storage.dims[0] < 1) {
      throw DataError(fmt::format("{}: {} holds no rows.", name, source.path));
    }
    if (shard.rows != 0 && shard.rows != storage.dims[0]) {
      throw DataError(fmt::format("{}: {} has {} rows, but {} has {}.\n  Each sample is a row of all of them.", name, source.path,
                                  storage.dims[0], sources[0].path, shard.rows));
    }
    shard.rows = storage.dims[0];
    found.push_back(FieldReading::of(source, storage.type, storage.dims, name));
    shard.checksum += fmt::format("{} {} {}\n", source.text(), storage.type.name(), describe(found.back()));
  }
  for (std::size_t i = 0; i < readings.size(); ++i) {
    if (readings[i].field != found[i].field || readings[i].stored != found[i].stored) {
      throw DataError(fmt::format("{}: {} gives {}, but in {} it gives {}.\n  These are files of different datasets.", name,
                                  sources[i].path, describe(found[i]), shards[0].name, describe(readings[i])));
    }
  }
  shard.chunk_rows = whole_rows(stored);
  readings = std::move(found);
  shards.push_back(std::move(shard));
}

Dataset Dataset::open(const DataFiles& files) {
  std::vector<FieldSource> sources = files.sources;
  std::ranges::sort(sources, {}, &FieldSource::name);
  const auto twice = std::ranges::adjacent_find(sources, {}, &FieldSource::name);
  if (twice != sources.end()) {
    throw UsageError(fmt::format("the field {} is given twice: {} and {}", twice->name, twice->path, (twice + 1)->path));
  }
  const auto state = std::make_shared<State>();
  std::int64_t rows = 0;
  for (const std::filesystem::path& file : files.files) {
    state->add_file(file.string(), sources);
    rows += state->shards.back().rows;
  }
  for (const FieldReading& reading : state->readings) {
    state->fields.push_back(reading.field);
    const auto found = files.statistics.find(reading.field.name);
    if (reading.normalised && found != files.statistics.end()) {
      state->statistics.insert(*found);
    }
  }
  const std::string where = files.files.empty() ? "the dataset" : files.files[0].string();
  state->path = files.files.size() == 1 ? where : fmt::format("{} and {} files more", where, files.files.size() - 1);
  if (rows == 0) {
    throw DataError("the dataset has no files.");
  }
  const std::int64_t wanted = auto_chunk_rows(rows, bytes_of_row(state->fields));
  for (std::size_t s = 0; s < state->shards.size(); ++s) {
    Shard& shard = state->shards[s];
    shard.chunk_rows = std::min(shard.rows, (wanted + shard.chunk_rows - 1) / shard.chunk_rows * shard.chunk_rows);
    state->add_chunks(static_cast<int>(s));
  }
  state->check_statistics(where);
  Dataset dataset(state);
  state->checksum = dataset.checksum_of_files(files.content);
  return dataset;
}

/// Not of every row, which every worker would have to read.
std::string Dataset::checksum_of_files(const std::string& content) const {
  Sha256 hash;
  hash.update(content);
  for (const Shard& shard : state_->shards) {
    hash.update(fmt::format("{} {} {}\n", shard.checksum, shard.rows, shard.chunk_rows));
  }
  for (const auto& [name, found] : state_->statistics) {
    hash.update(fmt::format("{} {:a} {:a}\n", name, fmt::join(found.mean, " "), fmt::join(found.std, " ")));
  }
  int sampled = -1;
  for (std::size_t c = 0; c < chunks().size() && sampled < static_cast<int>(kSampledFiles); ++c) {
    if (chunks()[c].shard > sampled) {
      sampled = chunks()[c].shard;
      for (const std::vector<std::byte>& field : read_chunk(c).fields) {
        hash.update(field);
      }
    }
  }
  return hash.finish_hex();
}

}  // namespace lockstep
