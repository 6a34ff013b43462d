#include "formats/dataset_writer.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

namespace lockstep {
namespace {

constexpr std::int64_t kShardBytes = 256 << 20;

}  // namespace

std::string ShardHash::finish(const std::function<const Statistics&(const std::string& field)>& of,
                              const std::vector<std::string>& classes) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    const std::string& name = fields_[i].name;
    lines.push_back(fmt::format("{} {} {} {}\n", name, name_of(fields_[i].dtype), fields_[i].sample.str(), hashes_[i].finish_hex()));
    if (const Statistics& found = of(name); name != "features" && !found.mean.empty()) {
      lines.back() += fmt::format("mean {:a}\nstd {:a}\n", fmt::join(found.mean, " "), fmt::join(found.std, " "));
    }
  }
  std::ranges::sort(lines);
  Sha256 hash;
  for (const std::string& line : lines) {
    hash.update(line);
  }
  const Statistics& features = of("features");
  hash.update(fmt::format("mean {:a}\nstd {:a}\nclasses {}\n", fmt::join(features.mean, " "), fmt::join(features.std, " "),
                          fmt::join(classes, "\n")));
  return hash.finish_hex();
}

void DatasetWriter::begin_shard() {
  shard_rows_ = std::min(options_.rows_per_shard, rows_ - shard_ * options_.rows_per_shard);
  written_ = 0;
  file_ = Hdf5File::create(part_ / fmt::format("shard-{:05}.h5", shard_));
  hash_.emplace(fields_);
  for (const Field& field : fields_) {
    std::vector<std::int64_t> dims{shard_rows_};
    dims.insert(dims.end(), field.sample.dims().begin(), field.sample.dims().end());
    // Chunk rows are capped at the shard's, which all fields share.
    file_->create_dataset("/" + field.name, field.dtype, dims, options_.chunk_rows);
  }
}

void DatasetWriter::flush() {
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    file_->write_rows("/" + fields_[i].name, fields_[i].dtype, written_, buffered_, buffers_[i]);
    hash_->update(i, buffers_[i]);
    buffers_[i].clear();
  }
  written_ += buffered_;
  buffered_ = 0;
  if (written_ == shard_rows_) {
    end_shard();
  }
}

void DatasetWriter::end_shard() {
  file_->set_attribute("lockstep_format", kDatasetFormat);
  file_->set_attribute("rows", shard_rows_);
  file_->set_attribute("shard", shard_);
  file_->set_attribute("shards", shards());
  file_->set_attribute("classes", options_.class_names);
  for (const auto& [field, names] : options_.columns) {
    file_->set_attribute("columns:" + field, names);
  }
  for (const auto& [name, found] : options_.statistics) {
    const std::string of_field = name == "features" ? "" : ":" + name;
    file_->set_attribute("mean" + of_field, found.mean);
    file_->set_attribute("std" + of_field, found.std);
  }
  const auto of = [&](const std::string& field) -> const Statistics& { return statistics_of(field); };
  file_->set_attribute("checksum", hash_->finish(of, options_.class_names));
  file_->close();
  file_.reset();
  ++shard_;
}

DatasetWriter::DatasetWriter(std::filesystem::path folder, std::vector<Field> fields, std::int64_t rows, DatasetOptions options)
    : folder_(std::move(folder)),
      part_(folder_.string() + ".part"),
      fields_(std::move(fields)),
      options_(std::move(options)),
      rows_(rows),
      buffers_(fields_.size()) {
  const std::size_t row_bytes = bytes_of_row(fields_);
  if (rows < 1 || row_bytes == 0) {
    throw DataError(fmt::format("{}: a dataset of {} rows of {} bytes cannot be made.", folder_.string(), rows, row_bytes));
  }
  if (std::filesystem::exists(folder_) && !std::filesystem::is_empty(folder_)) {
    throw DataError(fmt::format("{}: already holds something.\n  Remove it first, or choose another folder.", folder_.string()));
  }
  options_.statistics["features"] = {options_.mean, options_.std};
  if (options_.chunk_rows <= 0) {
    options_.chunk_rows = auto_chunk_rows(rows, row_bytes);
  }
  if (options_.rows_per_shard <= 0) {
    options_.rows_per_shard = std::max<std::int64_t>(1, kShardBytes / static_cast<std::int64_t>(row_bytes));
  }
  options_.rows_per_shard = (options_.rows_per_shard + options_.chunk_rows - 1) / options_.chunk_rows * options_.chunk_rows;
  std::filesystem::remove_all(part_);
  std::filesystem::create_directories(part_);
}

const Statistics& DatasetWriter::statistics_of(const std::string& field) const {
  static const Statistics none;
  const auto found = options_.statistics.find(field);
  return found == options_.statistics.end() ? none : found->second;
}

DatasetWriter::~DatasetWriter() {
  file_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(part_, ignored);  // After `close` it has its new name.
}

void DatasetWriter::append(std::span<const std::span<const std::byte>> values) {
  const std::int64_t count = values.empty() ? 0 : static_cast<std::int64_t>(values[0].size() / fields_[0].row_bytes());
  for (std::size_t i = 0; i < fields_.size(); ++i) {
    if (values.size() != fields_.size() || values[i].size() != static_cast<std::size_t>(count) * fields_[i].row_bytes()) {
      throw DataError(fmt::format("{}: the rows to append do not have the same number for every field.", folder_.string()));
    }
  }
  if (appended_ + count > rows_) {
    throw DataError(fmt::format("{}: more than the announced {} rows were appended.", folder_.string(), rows_));
  }
  appended_ += count;
  for (std::int64_t done = 0; done < count;) {
    if (!file_) {
      begin_shard();
    }
    const std::int64_t room = std::min(options_.chunk_rows, shard_rows_ - written_) - buffered_;
    const std::int64_t take = std::min(room, count - done);
    for (std::size_t i = 0; i < fields_.size(); ++i) {
      const std::size_t width = fields_[i].row_bytes();
      const auto rows = values[i].subspan(static_cast<std::size_t>(done) * width, static_cast<std::size_t>(take) * width);
      buffers_[i].insert(buffers_[i].end(), rows.begin(), rows.end());
    }
    buffered_ += take;
    done += take;
    if (take == room) {
      flush();
    }
  }
}

void DatasetWriter::close() {
  if (appended_ != rows_) {
    throw DataError(fmt::format("{}: {} rows were announced, but {} appended.", folder_.string(), rows_, appended_));
  }
  std::filesystem::remove(folder_);  // an empty folder of that name
  std::filesystem::rename(part_, folder_);
}

}  // namespace lockstep
