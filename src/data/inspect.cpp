#include "data/inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <optional>
#include <vector>

#include "data/dataset.hpp"
#include "data/order.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

/// Numbers of lanes for which the count of chunks is judged: the least and the most that are common.
constexpr std::int64_t kFewLanes = 8;
constexpr std::int64_t kManyLanes = 64;
constexpr std::size_t kMostClassesShown = 20;

struct FieldSummary {
  double least = std::numeric_limits<double>::infinity();
  double greatest = -std::numeric_limits<double>::infinity();
  double sum = 0;
  std::int64_t finite = 0;
  std::int64_t bad = 0;  ///< NaN or infinite
  std::string first_bad;

  template <class T>
  void add(std::span<const std::byte> bytes, std::size_t row_elements, std::int64_t first_row, const std::string& shard) {
    for (std::size_t i = 0; i < bytes.size() / sizeof(T); ++i) {
      T value;
      std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
      const auto x = static_cast<double>(value);
      if (!std::isfinite(x)) {
        if (bad++ == 0) {
          first_bad = fmt::format("in row {} of {}", first_row + static_cast<std::int64_t>(i / row_elements), shard);
        }
        continue;
      }
      least = std::min(least, x);
      greatest = std::max(greatest, x);
      sum += x;
      ++finite;
    }
  }
};

/// What one pass over all rows finds.
struct Findings {
  std::vector<FieldSummary> fields;
  std::map<std::int32_t, std::int64_t> classes;  ///< rows of each label
  std::vector<std::string> shards_of_other_content;
};

Findings scan(const Dataset& dataset) {
  Findings found;
  found.fields.resize(dataset.fields().size());
  std::optional<ShardHash> hash;
  for (std::size_t c = 0; c < dataset.chunks().size(); ++c) {
    const ChunkInfo& info = dataset.chunks()[c];
    const std::string& shard = dataset.shard_name(info.shard);
    if (info.first == 0) {
      hash.emplace(dataset.fields());
    }
    const Chunk chunk = dataset.read_chunk(c);
    for (std::size_t f = 0; f < chunk.fields.size(); ++f) {
      const Field& field = dataset.fields()[f];
      const auto add = field.dtype == DType::f32   ? &FieldSummary::add<float>
                       : field.dtype == DType::i32 ? &FieldSummary::add<std::int32_t>
                                                   : &FieldSummary::add<std::uint8_t>;
      (found.fields[f].*add)(chunk.fields[f], static_cast<std::size_t>(field.sample.elements()), info.first, shard);
      hash->update(f, chunk.fields[f]);
    }
    const bool last = c + 1 == dataset.chunks().size() || dataset.chunks()[c + 1].shard != info.shard;
    if (last && hash->finish(dataset.mean(), dataset.std(), dataset.class_names()) != dataset.shard_checksum(info.shard)) {
      found.shards_of_other_content.push_back(shard);
    }
  }
  if (dataset.has_field("labels") && dataset.field("labels").dtype == DType::i32 && dataset.field("labels").sample.rank() == 0) {
    dataset.for_each_label([&](std::int32_t label, const ChunkInfo&, std::int64_t) { ++found.classes[label]; });
  }
  return found;
}

std::string class_lines(const Dataset& dataset, const Findings& found) {
  std::string text;
  std::size_t shown = 0;
  for (const auto& [label, rows] : found.classes) {
    if (shown++ == kMostClassesShown) {
      text += fmt::format("    … and {} classes more\n", found.classes.size() - kMostClassesShown);
      break;
    }
    const bool named = label >= 0 && static_cast<std::size_t>(label) < dataset.class_names().size();
    text += fmt::format("    {:>4}  {:<16} {:>10} rows  {:5.1f} %\n", label,
                        named ? dataset.class_names()[static_cast<std::size_t>(label)] : "", rows,
                        100.0 * static_cast<double>(rows) / static_cast<double>(dataset.rows()));
  }
  return text.empty() ? "" : "  classes:\n" + text;
}

/// A line for each thing that would trouble training, with what mends it.
std::vector<std::string> verdict(const Dataset& dataset, const Findings& found) {
  std::vector<std::string> lines;
  for (const std::string& shard : found.shards_of_other_content) {
    lines.push_back(fmt::format("{} is not what was imported: its content does not match its checksum. Copy it again.", shard));
  }
  for (std::size_t f = 0; f < found.fields.size(); ++f) {
    if (found.fields[f].bad > 0) {
      lines.push_back(
          fmt::format("/{} holds {} values that are NaN or infinite, the first {}. Training would diverge: leave these rows out.",
                      dataset.fields()[f].name, found.fields[f].bad, found.fields[f].first_bad));
    }
  }
  const auto names = static_cast<std::int64_t>(dataset.class_names().size());
  for (const auto& [label, rows] : found.classes) {
    if (label < 0 || (names > 0 && label >= names)) {
      lines.push_back(fmt::format("/labels holds the class {} in {} rows, but {}. Import again with labels and names that fit.", label,
                                  rows,
                                  names > 0 ? fmt::format("there are {} class names (0..{})", names, names - 1) : "classes count from 0"));
    }
  }
  if (const std::string line = chunk_verdict(std::ssize(dataset.chunks()), dataset.bytes()); !line.empty()) {
    lines.push_back(line);
  }
  return lines;
}

std::string inspect_dataset(const Dataset& dataset) {
  const Findings found = scan(dataset);
  const auto& chunks = dataset.chunks();
  constexpr double mib = 1 << 20;
  std::string text = fmt::format("{}\n  {} rows, {:.1f} MiB, {} shard{}, {} chunks of {} rows\n  checksum {}\n", dataset.path().string(),
                                 dataset.rows(), static_cast<double>(dataset.bytes()) / mib, dataset.shards(),
                                 dataset.shards() == 1 ? "" : "s", chunks.size(), chunks[0].rows, dataset.checksum());
  for (std::size_t f = 0; f < found.fields.size(); ++f) {
    const Field& field = dataset.fields()[f];
    const FieldSummary& summary = found.fields[f];
    text += fmt::format("  /{:<10} {} {} a row, ", field.name, name_of(field.dtype), field.sample.str());
    text += summary.finite == 0 ? "no finite value\n"
                                : fmt::format("{:.6g} … {:.6g}, mean {:.6g}\n", summary.least, summary.greatest,
                                              summary.sum / static_cast<double>(summary.finite));
  }
  for (std::size_t c = 0; c < dataset.mean().size(); ++c) {
    text += fmt::format("  features are normalised with mean {:.6g} and deviation {:.6g}{}\n", dataset.mean()[c], dataset.std()[c],
                        dataset.mean().size() > 1 ? fmt::format(" in channel {}", c) : "");
  }
  text += class_lines(dataset, found);
  const std::vector<std::string> troubles = verdict(dataset, found);
  for (const std::string& trouble : troubles) {
    text += "  ! " + trouble + "\n";
  }
  return troubles.empty() ? text + "  Nothing to mend.\n" : text;
}

}  // namespace

std::string chunk_verdict(std::int64_t chunks, std::size_t dataset_bytes) {
  for (const std::int64_t lanes : {kFewLanes, kManyLanes}) {
    if (chunks < 10 * lanes && default_order(dataset_bytes) == OrderKind::chunk) {
      return fmt::format(
          "{} chunks are fewer than 10 for each of {} lanes: more than 1.1 × the data would be read. "
          "Import again with a smaller --chunk-rows, or take at most {} lanes.",
          chunks, lanes, std::max<std::int64_t>(1, chunks / 10));
    }
  }
  return "";
}

std::string inspect(const std::filesystem::path& path) {
  const auto holds_shards = [](const std::filesystem::path& folder) { return std::filesystem::exists(folder / "shard-00000.h5"); };
  std::vector<std::filesystem::path> parts;
  if (std::filesystem::is_directory(path) && !holds_shards(path)) {
    std::ranges::copy_if(std::filesystem::directory_iterator(path), std::back_inserter(parts), holds_shards);
    std::ranges::sort(parts, std::greater{});  // train before test
  }
  if (parts.empty()) {
    parts.push_back(path);
  }
  std::string text;
  for (const std::filesystem::path& part : parts) {
    text += inspect_dataset(Dataset::open(part));
  }
  return text;
}

}  // namespace lockstep
