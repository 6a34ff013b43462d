#include "formats/summary.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "formats/dataset_writer.hpp"

namespace lockstep {
namespace {

std::size_t parts_of(const Field& field) {
  const int rank = field.sample.rank();
  return rank >= 3 || (rank == 1 && field.dtype == DType::f32) ? static_cast<std::size_t>(field.sample[0]) : 1;
}

/// Elements begin, begin + 1, … begin + run − 1 of each row.
template <class T>
Moments moments_of(std::span<const std::byte> rows, std::size_t width, std::size_t begin, std::size_t run) {
  Moments found;
  double sum = 0;
  const auto each = [&](const auto& visit) {
    for (std::size_t row = 0; row < rows.size() / sizeof(T); row += width) {
      for (std::size_t i = row + begin; i < row + begin + run; ++i) {
        T value;
        std::memcpy(&value, rows.data() + i * sizeof(T), sizeof(T));
        if (const auto x = static_cast<double>(value); std::isfinite(x)) {
          visit(x);
        }
      }
    }
  };
  each([&](double x) {
    ++found.count;
    sum += x;
    found.least = std::min(found.least, x);
    found.greatest = std::max(found.greatest, x);
  });
  found.mean = found.count > 0 ? sum / found.count : 0;
  each([&](double x) { found.squares += (x - found.mean) * (x - found.mean); });
  return found;
}

std::int64_t count_bad(std::span<const std::byte> rows, std::size_t width, std::int64_t& first_row) {
  std::int64_t bad = 0;
  for (std::size_t i = 0; i < rows.size() / sizeof(float); ++i) {
    float value = 0;
    std::memcpy(&value, rows.data() + i * sizeof(float), sizeof(float));
    if (!std::isfinite(value) && bad++ == 0) {
      first_row = static_cast<std::int64_t>(i / width);
    }
  }
  return bad;
}

}  // namespace

void Moments::add(const Moments& other) {
  if (other.count == 0) {
    return;
  }
  const double both = count + other.count;
  const double apart = other.mean - mean;
  squares += other.squares + apart * apart * (count * other.count / both);
  mean += apart * (other.count / both);
  count = both;
  least = std::min(least, other.least);
  greatest = std::max(greatest, other.greatest);
}

double Moments::deviation() const { return count > 0 && squares > 0 ? std::sqrt(squares / count) : 1.0; }

Moments FieldSummary::all() const {
  Moments sum;
  for (const Moments& part : parts) {
    sum.add(part);
  }
  return sum;
}

Statistics FieldSummary::statistics() const {
  Statistics found;
  for (const Moments& part : parts) {
    found.mean.push_back(part.mean);
    found.std.push_back(part.deviation());
  }
  return found;
}

Summary::Summary(const std::vector<Field>& fields) : fields_(fields), found_(fields.size()) {
  for (std::size_t f = 0; f < fields.size(); ++f) {
    found_[f].parts.resize(parts_of(fields[f]));
  }
}

void Summary::add(std::size_t field, std::span<const std::byte> rows, std::int64_t first, const std::string& where) {
  const Field& what = fields_[field];
  FieldSummary& found = found_[field];
  const auto width = static_cast<std::size_t>(what.sample.elements());
  const std::size_t run = width / found.parts.size();
  for (std::size_t part = 0; part < found.parts.size(); ++part) {
    const auto of = what.dtype == DType::f32   ? moments_of<float>
                    : what.dtype == DType::i32 ? moments_of<std::int32_t>
                                               : moments_of<std::uint8_t>;
    found.parts[part].add(of(rows, width, part * run, run));
  }
  std::int64_t row = 0;
  if (const std::int64_t bad = what.dtype == DType::f32 ? count_bad(rows, width, row) : 0; bad > 0) {
    found.first_bad = found.bad == 0 ? fmt::format("in row {} of {}", first + row, where) : found.first_bad;
    found.bad += bad;
  }
}

void refuse_non_finite(const std::string& field, const FieldSummary& found) {
  if (found.bad > 0) {
    throw DataError(
        fmt::format("{} holds {} values that are NaN or infinite, the first {}.\n  Training would diverge: leave these rows out.", field,
                    found.bad, found.first_bad));
  }
}

Statistics mean_weight(const std::string& field, const FieldSummary& found) {
  const Moments& weights = found.parts[0];
  if (!(weights.least >= 0) || !(weights.mean > 0)) {
    throw DataError(fmt::format("{}: weights of samples are {} … {}, but they must be at least 0, and some above.", field, weights.least,
                                weights.greatest));
  }
  return {{0}, {weights.mean}};
}

DatasetSummary summarise(const Dataset& dataset) {
  DatasetSummary result;
  Summary summary(dataset.fields());
  Sha256 content;
  std::optional<ShardHash> hash;
  const auto statistics = [&](const std::string& field) -> const Statistics& { return dataset.statistics(field); };
  for (std::size_t c = 0; c < dataset.chunks().size(); ++c) {
    const ChunkInfo& info = dataset.chunks()[c];
    const std::string& shard = dataset.shard_name(info.shard);
    if (info.first == 0) {
      hash.emplace(dataset.fields());
    }
    const Chunk chunk = dataset.read_chunk(c);
    for (std::size_t f = 0; f < chunk.fields.size(); ++f) {
      summary.add(f, chunk.fields[f], info.first, shard);
      hash->update(f, chunk.fields[f]);
    }
    if (c + 1 == dataset.chunks().size() || dataset.chunks()[c + 1].shard != info.shard) {
      const std::string of_shard = hash->finish(statistics, dataset.class_names());
      content.update(of_shard);
      if (dataset.readings().empty() && of_shard != dataset.shard_checksum(info.shard)) {
        result.shards_of_other_content.push_back(shard);
      }
    }
  }
  result.fields = summary.found();
  result.content = content.finish_hex();
  if (dataset.has_field("labels") && dataset.field("labels").dtype == DType::i32 && dataset.field("labels").sample.rank() == 0) {
    dataset.for_each_label([&](std::int32_t label, const ChunkInfo&, std::int64_t) { ++result.classes[label]; });
  }
  return result;
}

void measure(DataFiles& files) {
  const Dataset dataset = Dataset::open({files.files, files.sources});
  const DatasetSummary found = summarise(dataset);
  for (std::size_t f = 0; f < found.fields.size(); ++f) {
    const FieldReading& reading = dataset.readings()[f];
    const FieldSummary& field = found.fields[f];
    refuse_non_finite(reading.source.path, field);
    if (reading.normalised) {
      files.statistics[reading.field.name] =
          reading.source.role == Role::weight ? mean_weight(reading.source.path, field) : field.statistics();
    }
  }
  files.content = found.content;
}

}  // namespace lockstep
