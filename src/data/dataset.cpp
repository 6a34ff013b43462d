#include "data/dataset.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>

#include "data/sha256.hpp"

namespace lockstep {
namespace {

/// Shards kept open at once; a dataset may have more shards than a process may have files.
constexpr std::size_t kOpenShards = 16;

/// "shard-00000.h5" … without gaps.
std::vector<std::string> shard_names(const std::filesystem::path& folder) {
  if (!std::filesystem::is_directory(folder)) {
    throw DataError(fmt::format("{}: there is no such folder.\n  Make a dataset with: lockstep import", folder.string()));
  }
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("shard-") && name.ends_with(".h5")) {
      names.push_back(name);
    }
  }
  if (names.empty()) {
    throw DataError(fmt::format("{}: holds no shards (shard-00000.h5 …), so it is not a dataset.{}\n  Make one with: lockstep import",
                                folder.string(), std::filesystem::is_directory(folder / "train") ? " Its folder train/ may be." : ""));
  }
  std::ranges::sort(names);
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (const std::string expected = fmt::format("shard-{:05}.h5", i); names[i] != expected) {
      throw DataError(fmt::format("{}: {} is missing, but {} is there.\n  Copy the dataset again.", folder.string(), expected, names[i]));
    }
  }
  return names;
}

std::int64_t channels_of(const Field& field) { return field.sample.rank() > 0 ? field.sample[0] : 1; }

/// A number for each channel, or one for all, or none.
bool fits(const Statistics& statistics, const Field& field) {
  return statistics.mean.size() <= 1 || static_cast<std::int64_t>(statistics.mean.size()) == channels_of(field);
}

std::map<std::string, Statistics, std::less<>> read_statistics(const Hdf5File& file, const std::vector<Field>& fields) {
  std::map<std::string, Statistics, std::less<>> found{{"features", {file.reals_attribute("mean"), file.reals_attribute("std")}}};
  for (const Field& field : fields) {
    if (file.has_attribute("mean:" + field.name)) {
      found[field.name] = {file.reals_attribute("mean:" + field.name), file.reals_attribute("std:" + field.name)};
    }
  }
  return found;
}

/// "u8 [1, 28, 28], i32 []"
std::string describe(const std::vector<Field>& fields) {
  std::vector<std::string> parts;
  for (const Field& field : fields) {
    parts.push_back(fmt::format("{} {} {}", field.name, name_of(field.dtype), field.sample.str()));
  }
  return fmt::format("{}", fmt::join(parts, ", "));
}

/// Differs where a file was written to or replaced; empty where there is none.
std::string stamp_of(const std::filesystem::path& file) {
  struct stat about {};
  return ::stat(file.c_str(), &about) != 0
             ? ""
             : fmt::format("{} {} {} {}", about.st_size, about.st_ino, about.st_mtim.tv_sec, about.st_mtim.tv_nsec);
}

}  // namespace

std::size_t bytes_of_row(const std::vector<Field>& fields) {
  return std::accumulate(fields.begin(), fields.end(), std::size_t{0}, [](std::size_t sum, const Field& f) { return sum + f.row_bytes(); });
}

std::size_t Chunk::bytes() const {
  return std::accumulate(fields.begin(), fields.end(), std::size_t{0}, [](std::size_t sum, const auto& f) { return sum + f.size(); });
}

Field Dataset::State::read_field_info(const Hdf5File& file, const std::string& where, const std::string& name, Shard& shard) {
  const Hdf5Storage info = file.storage(name);
  const std::optional<DType> dtype = info.type.dtype();
  if (!dtype || !info.trouble.empty()) {
    throw DataError(dtype
                        ? info.trouble
                        : fmt::format("{}: /{} holds elements of {} bytes, but fields are f32, i32 or u8.", where, name, info.type.bytes));
  }
  if (info.dims.empty() || info.dims[0] != shard.rows) {
    throw DataError(fmt::format("{}: /{} has {} rows, but the shard says {}.\n  Import the dataset again.", where, name,
                                info.dims.empty() ? 0 : info.dims[0], shard.rows));
  }
  const std::int64_t chunk_rows = info.chunk.empty() ? 0 : info.chunk[0];
  if (chunk_rows == 0 || (shard.chunk_rows != 0 && shard.chunk_rows != chunk_rows)) {
    throw DataError(fmt::format("{}: /{} is {}, but all fields of a shard must have the same rows a chunk.\n  Import the dataset again.",
                                where, name, chunk_rows == 0 ? "contiguous" : fmt::format("in chunks of {} rows", chunk_rows)));
  }
  shard.chunk_rows = chunk_rows;
  return {name, Shape(std::vector<std::int64_t>(info.dims.begin() + 1, info.dims.end())), *dtype};
}

/// Reads a shard's description; the first sets what the others must agree with.
void Dataset::State::add_shard(const std::string& name, int number, int count) {
  const std::string where = (path / name).string();
  const Hdf5File file = Hdf5File::open(path / name);
  if (!file.has_attribute("lockstep_format")) {
    throw DataError(fmt::format("{}: was not written by Lockstep.\n  Convert it with: lockstep import", where));
  }
  if (const std::int64_t format = file.integer_attribute("lockstep_format"); format != kDatasetFormat) {
    throw DataError(
        fmt::format("{}: has format {}, but this program reads format {}.\n  Import the dataset again.", where, format, kDatasetFormat));
  }
  if (const std::int64_t shard_count = file.integer_attribute("shards");
      shard_count != count || file.integer_attribute("shard") != number) {
    throw DataError(fmt::format("{}: says that it is shard {} of {}, but the folder has {}.\n  Copy the dataset again.", where,
                                file.integer_attribute("shard"), shard_count, count));
  }
  Shard shard{name, file.text_attribute("checksum"), file.integer_attribute("rows"), 0};
  std::vector<Field> found;
  for (const std::string& field : file.datasets()) {
    found.push_back(read_field_info(file, where, field.substr(1), shard));
  }
  if (found.empty() || shard.rows < 1) {
    throw DataError(fmt::format("{}: holds no rows.\n  Import the dataset again.", where));
  }
  const auto found_classes = file.texts_attribute("classes");
  const auto found_statistics = read_statistics(file, found);
  if (number == 0) {
    fields = found;
    classes = found_classes;
    statistics = found_statistics;
    check_statistics(where);
  } else if (found != fields) {
    throw DataError(fmt::format("{}: holds {}, but {} holds {}.\n  These are shards of different datasets.", where, describe(found),
                                shards[0].name, describe(fields)));
  } else if (found_classes != classes || found_statistics != statistics) {
    throw DataError(fmt::format("{}: its class names, mean or std differ from {}'s.\n  These are shards of different datasets.", where,
                                shards[0].name));
  }
  shards.push_back(std::move(shard));
  add_chunks(number);
}

void Dataset::State::check_statistics(const std::string& where) const {
  for (const auto& [name, found] : statistics) {
    const auto field = std::ranges::find(fields, name, &Field::name);
    const Field scalar;
    const Field& of = field == fields.end() ? scalar : *field;
    const bool sound = std::ranges::all_of(found.mean, [](double m) { return std::isfinite(m); }) &&
                       std::ranges::all_of(found.std, [](double s) { return std::isfinite(s) && s > 0; });
    if (found.mean.size() != found.std.size() || !fits(found, of) || !sound) {
      throw DataError(
          fmt::format("{}: has {} means and {} deviations for {} channels of /{}, or one that is not finite and positive.\n"
                      "  Import the dataset again.",
                      where, found.mean.size(), found.std.size(), channels_of(of), name));
    }
  }
}

void Dataset::State::add_chunks(int shard) {
  Shard& added = shards[static_cast<std::size_t>(shard)];
  added.stamp = stamp_of(file_of(added));
  for (std::int64_t first = 0; first < added.rows; first += added.chunk_rows) {
    chunks.push_back({shard, first, std::min(added.chunk_rows, added.rows - first)});
  }
  rows += added.rows;
}

std::optional<std::string> Dataset::changed() const {
  const auto found = std::ranges::find_if(state_->shards, [this](const Shard& s) {
    const std::string now = stamp_of(state_->file_of(s));
    return !now.empty() && now != s.stamp;  // what cannot be looked at has not changed; reading it will say what is wrong
  });
  return found == state_->shards.end() ? std::nullopt : std::optional(found->name);
}

std::shared_ptr<const Hdf5File> Dataset::State::open_shard(int shard) {
  const std::scoped_lock lock(mutex);
  const auto found = std::ranges::find(open_files, shard, [](const auto& entry) { return entry.first; });
  if (found != open_files.end()) {
    open_files.splice(open_files.begin(), open_files, found);
  } else {
    open_files.emplace_front(shard, std::make_shared<const Hdf5File>(Hdf5File::open(file_of(shards[static_cast<std::size_t>(shard)]))));
    if (open_files.size() > kOpenShards) {
      open_files.pop_back();
    }
  }
  return open_files.front().second;
}

Dataset Dataset::open(const std::filesystem::path& folder, const std::map<std::string, Statistics>* statistics) {
  const auto state = std::make_shared<State>();
  state->path = folder;
  const std::vector<std::string> names = shard_names(folder);
  Sha256 hash;
  for (std::size_t i = 0; i < names.size(); ++i) {
    state->add_shard(names[i], static_cast<int>(i), static_cast<int>(names.size()));
    const Shard& shard = state->shards.back();
    hash.update(fmt::format("{} {} {}\n", shard.checksum, shard.rows, shard.chunk_rows));
  }
  state->checksum = hash.finish_hex();
  if (statistics != nullptr) {
    state->statistics.clear();
    for (const auto& [name, given] : *statistics) {
      const auto field = std::ranges::find(state->fields, name, &Field::name);
      if (field != state->fields.end() && fits(given, *field)) {  // a field of another shape is no field for whoever gives these
        state->statistics[name] = given;
      }
    }
  }
  return Dataset(state);
}

const Statistics& Dataset::statistics(std::string_view field) const {
  static const Statistics none;
  const auto found = state_->statistics.find(field);
  return found == state_->statistics.end() ? none : found->second;
}

bool Dataset::has_field(std::string_view name) const { return std::ranges::find(fields(), name, &Field::name) != fields().end(); }

std::size_t Dataset::field_index(std::string_view name) const {
  const auto found = std::ranges::find(fields(), name, &Field::name);
  if (found == fields().end()) {
    throw DataError(fmt::format("{}: has no field {}; it holds {}.", path().string(), name, describe(fields())));
  }
  return static_cast<std::size_t>(found - fields().begin());
}

std::vector<std::byte> Dataset::State::read_rows(const ChunkInfo& where, std::size_t field) {
  const std::shared_ptr<const Hdf5File> file = open_shard(where.shard);
  if (readings.empty()) {
    std::vector<std::byte> bytes(fields[field].row_bytes() * static_cast<std::size_t>(where.rows));
    file->read_rows("/" + fields[field].name, fields[field].dtype, where.first, where.rows, bytes);
    return bytes;
  }
  const FieldReading& reading = readings[field];
  std::vector<std::byte> bytes(reading.stored_bytes() * static_cast<std::size_t>(where.rows));
  file->read_rows_as(reading.source.path, reading.read_as, where.first, where.rows, bytes);
  return reading.convert(std::move(bytes), where.first, shards[static_cast<std::size_t>(where.shard)].name);
}

std::vector<std::byte> Dataset::read_field(std::size_t chunk, std::size_t field) const {
  const ChunkInfo& where = state_->chunks.at(chunk);
  try {
    return state_->read_rows(where, field);
  } catch (const Hdf5Error& error) {
    if (!error.checksum()) {
      throw;
    }
    throw DataError(
        fmt::format("{}: rows {}..{} of {} do not match their checksum; the file is damaged.\n"
                    "  Copy it again{}",
                    shard_name(where.shard), where.first, where.first + where.rows - 1,
                    readings().empty() ? "/" + fields()[field].name : readings()[field].source.path,
                    readings().empty() ? fmt::format(", or import the dataset again. (Folder: {})", path().string()) : "."));
  }
}

Chunk Dataset::read_chunk(std::size_t chunk) const {
  Chunk result;
  for (std::size_t field = 0; field < state_->fields.size(); ++field) {
    result.fields.push_back(read_field(chunk, field));
  }
  return result;
}

void Dataset::for_each_label(const std::function<void(std::int32_t, const ChunkInfo&, std::int64_t)>& visit, std::string_view name) const {
  const std::size_t index = field_index(name);
  const Field& labels = fields()[index];
  if (labels.dtype != DType::i32) {
    throw DataError(fmt::format("{}: /{} is {}, but a class is an i32.", path().string(), name, name_of(labels.dtype)));
  }
  const std::int64_t width = labels.sample.elements();
  for (std::size_t c = 0; c < chunks().size(); ++c) {
    const std::vector<std::byte> bytes = read_field(c, index);
    for (std::int64_t i = 0; i < chunks()[c].rows * width; ++i) {
      std::int32_t label = 0;
      std::memcpy(&label, bytes.data() + i * 4, 4);
      visit(label, chunks()[c], i / width);
    }
  }
}

void check_labels(const Dataset& dataset, std::int64_t classes, std::string_view field) {
  const auto check = [&](std::int32_t label, const ChunkInfo& chunk, std::int64_t row) {
    if (label < 0 || label >= classes) {
      const std::string advice = label < 0 ? "Labels count from 0. L" : fmt::format("Give --classes {}, or l", label + 1);
      throw DataError(fmt::format(
          "/{} holds the class {} in row {} of {}, but the model has {} outputs (0..{}).\n"
          "  {}ook at the data with: lockstep inspect {}",
          field, label, chunk.first + row, dataset.shard_name(chunk.shard), classes, classes - 1, advice, dataset.path().string()));
    }
  };
  dataset.for_each_label(check, field);
}

Split split_rows(std::int64_t rows, std::int64_t limit, double fraction) {
  if (!(fraction >= 0) || fraction >= 1) {
    throw UsageError(fmt::format("the validation part is {} of the rows, but it must be at least 0 and less than 1.", fraction));
  }
  if (limit < 0) {
    throw UsageError(fmt::format("the limit of {} rows is negative.\n  Leave it out to take all rows.", limit));
  }
  const std::int64_t used = limit > 0 ? std::min(limit, rows) : rows;
  const auto held = static_cast<std::int64_t>(std::ceil(fraction * static_cast<double>(used)));
  if (held >= used) {
    throw UsageError(fmt::format("of {} rows {} are kept for validation, so none is left to train.", used, held));
  }
  return {{0, used - held}, {used - held, held}};
}

}  // namespace lockstep
