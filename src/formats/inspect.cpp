#include "formats/inspect.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <vector>

#include "data/order.hpp"
#include "formats/summary.hpp"
#include "lockstep/nn.hpp"

namespace lockstep {
namespace {

/// Numbers of lanes for which the count of chunks is judged: the least and the most that are common.
constexpr std::int64_t kFewLanes = 8;
constexpr std::int64_t kManyLanes = 64;
constexpr std::size_t kMostClassesShown = 20;
/// Stored chunks that are good to read have at least so many bytes and, packed, at most so many.
constexpr std::int64_t kLeastChunk = 1 << 10;
constexpr std::int64_t kLargestPacked = 4 << 20;

std::string class_lines(const Dataset& dataset, const DatasetSummary& found) {
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

/// The command, or the advice, that makes the dataset anew with further options.
std::string mend(const Dataset& dataset, const InspectOptions& options, const std::string& further) {
  if (dataset.readings().empty()) {
    return fmt::format("Mend it: run the lockstep import that made it again, with{} and another --out.", further);
  }
  std::string fields;
  for (const FieldReading& reading : dataset.readings()) {
    const char* const option = reading.source.role == Role::input ? "input" : reading.source.role == Role::target ? "target" : "weight";
    fields += fmt::format(" --{} {}", option, reading.source.text());
  }
  return fmt::format("Mend it with: lockstep import hdf5 --data '{}'{}{} --out DIR",
                     options.data.empty() ? dataset.path().string() : options.data, fields, further);
}

/// How to mend a label out of the range.
std::string mend_label(std::int32_t label, std::int64_t asked, std::int64_t names) {
  if (label < 0) {
    return fmt::format("Classes count from 0: leave these rows out, or add {} to all labels.", -static_cast<std::int64_t>(label));
  }
  const std::int64_t needed = std::int64_t{label} + 1;
  if (asked > 0) {
    return fmt::format("Give --classes {}, or subtract 1 from all labels if they count from 1.", needed);
  }
  return fmt::format("Run the lockstep import that made it again, with a name for each: --classes with {} names instead of {}.", needed,
                     names);
}

/// What is wrong with the labels.
std::vector<std::string> label_verdict(const Dataset& dataset, const DatasetSummary& found, std::int64_t asked) {
  std::vector<std::string> lines;
  const auto names = static_cast<std::int64_t>(dataset.class_names().size());
  const std::int64_t classes = asked > 0 ? asked : names;
  for (const auto& [label, rows] : found.classes) {
    if (lines.size() < kMostClassesShown && (label < 0 || (classes > 0 && label >= classes))) {
      lines.push_back(fmt::format("/labels holds the class {} in {} rows, but {}. {}", label, rows,
                                  classes > 0
                                      ? fmt::format("there are {} {} (0..{})", classes, asked > 0 ? "classes" : "class names", classes - 1)
                                      : "that is no class",
                                  mend_label(label, asked, names)));
    }
  }
  if (!found.classes.empty()) {
    const std::int64_t last = std::max(classes, std::int64_t{found.classes.rbegin()->first} + 1);
    const auto empty = last - std::ranges::count_if(found.classes, [](const auto& entry) { return entry.first >= 0; });
    if (empty > 0) {
      lines.push_back(fmt::format("{} of the {} classes have no rows. A model has outputs for them all the same.", empty, last));
    }
  }
  return lines;
}

/// What is slow or useless in how the fields of files made elsewhere are stored.
std::vector<std::string> storage_verdict(const Dataset& dataset, const InspectOptions& options) {
  std::vector<std::string> lines;
  const Hdf5File file = Hdf5File::open(dataset.shard_name(0));
  for (const FieldReading& reading : dataset.readings()) {
    const Hdf5Storage stored = file.storage(reading.source.path);
    std::int64_t bytes = static_cast<std::int64_t>(stored.type.bytes);
    for (const std::int64_t length : stored.chunk) {
      bytes *= length;
    }
    const bool tiny = bytes < kLeastChunk && !stored.chunk.empty() && stored.chunk[0] < stored.dims[0];
    const bool huge = bytes > kLargestPacked && stored.filtered;
    if (tiny || huge) {
      lines.push_back(fmt::format("{} lies in {} of {:.1f} KiB each: {}", reading.source.path, stored.layout,
                                  static_cast<double>(bytes) / 1024,
                                  tiny ? "reading so many small pieces is slow." : "each must be unpacked whole to read a row of it."));
    }
  }
  if (!lines.empty()) {
    lines.back() += " " + mend(dataset, options, "");
  }
  return lines;
}

/// A line for each thing that would trouble training, with what mends it.
std::vector<std::string> verdict(const Dataset& dataset, const DatasetSummary& found, const InspectOptions& options) {
  std::vector<std::string> lines;
  for (const std::string& shard : found.shards_of_other_content) {
    lines.push_back(fmt::format("{} is not what was imported: its content does not match its checksum. Copy it again.", shard));
  }
  for (std::size_t f = 0; f < found.fields.size(); ++f) {
    if (found.fields[f].bad > 0) {
      lines.push_back(fmt::format("/{} holds {} values that are NaN or infinite, the first {}. Training would diverge. {}",
                                  dataset.fields()[f].name, found.fields[f].bad, found.fields[f].first_bad,
                                  mend(dataset, options, " --missing drop")));
    }
  }
  for (const Field& field : dataset.fields()) {
    if (channels_seem_last(field.sample)) {
      lines.push_back(
          fmt::format("/{} {} look like images [height, width, channels]; the image models need [channels, height, width]. Put "
                      ":nhwc behind their name, such as --input /images:nhwc.",
                      field.name, field.sample.str()));
    }
  }
  std::ranges::copy(label_verdict(dataset, found, options.classes), std::back_inserter(lines));
  if (!dataset.readings().empty()) {
    std::ranges::copy(storage_verdict(dataset, options), std::back_inserter(lines));
  }
  if (const auto chunks = chunk_verdict(std::ssize(dataset.chunks()), dataset.rows(), dataset.bytes(), options.lanes)) {
    lines.push_back(chunks->trouble);
    if (chunks->chunk_rows > 0) {
      lines.back() += " " + mend(dataset, options, fmt::format(" --chunk-rows {}", chunks->chunk_rows));
    }
  }
  return lines;
}

/// How the fields of the first file are stored.
std::string storage_lines(const Dataset& dataset) {
  std::string text;
  const Hdf5File file = Hdf5File::open(dataset.shard_name(0));
  for (const FieldReading& reading : dataset.readings()) {
    const Hdf5Storage stored = file.storage(reading.source.path);
    text += fmt::format("  {} is {}: {} {}, {}\n", reading.field.name, reading.source.path, stored.type.name(), Shape(stored.dims).str(),
                        stored.layout);
  }
  return text;
}

std::string normalisation_lines(const Field& field, const Statistics& statistics) {
  const char* const what = field.sample.rank() > 1 ? "channel" : "column";
  std::string text;
  for (std::size_t c = 0; c < statistics.mean.size(); ++c) {
    if (c == kMostClassesShown) {
      return text + fmt::format("  … and {} more of {}\n", statistics.mean.size() - c, field.name);
    }
    text += fmt::format("  {} are normalised with mean {:.6g} and deviation {:.6g}{}\n", field.name, statistics.mean[c], statistics.std[c],
                        statistics.mean.size() > 1 ? fmt::format(" in {} {}", what, c) : "");
  }
  return text;
}

}  // namespace

std::string inspect_dataset(const Dataset& dataset, const InspectOptions& options) {
  const DatasetSummary found = summarise(dataset);
  const auto& chunks = dataset.chunks();
  constexpr double mib = 1 << 20;
  std::string text = fmt::format("{}\n  {} rows, {:.1f} MiB, {} shard{}, {} chunks of {} rows\n  checksum {}\n", dataset.path().string(),
                                 dataset.rows(), static_cast<double>(dataset.bytes()) / mib, dataset.shards(),
                                 dataset.shards() == 1 ? "" : "s", chunks.size(), chunks[0].rows, dataset.checksum());
  for (std::size_t f = 0; f < found.fields.size(); ++f) {
    const Field& field = dataset.fields()[f];
    const Moments summary = found.fields[f].all();
    text += fmt::format("  /{:<10} {} {} a row, ", field.name, name_of(field.dtype), field.sample.str());
    text += summary.count == 0 ? "no finite value\n"
                               : fmt::format("{:.6g} … {:.6g}, mean {:.6g}\n", summary.least, summary.greatest, summary.mean);
  }
  for (const Field& field : dataset.fields()) {
    text += normalisation_lines(field, dataset.statistics(field.name));
  }
  if (!dataset.readings().empty()) {
    text += storage_lines(dataset);
  }
  text += class_lines(dataset, found);
  const std::vector<std::string> troubles = verdict(dataset, found, options);
  for (const std::string& trouble : troubles) {
    text += "  ! " + trouble + "\n";
  }
  return troubles.empty() ? text + "  Nothing to mend.\n" : text;
}

std::string list_file(const std::filesystem::path& path) {
  const Hdf5File file = Hdf5File::open(path);
  std::string text = fmt::format("{}: an HDF5 file that was made elsewhere. It holds\n", path.string());
  for (const std::string& name : file.datasets()) {
    const Hdf5Storage stored = file.storage(name);
    text += fmt::format("  {:<20} {:<8} {:<20} {}\n{}", name, stored.type.name(), Shape(stored.dims).str(), stored.layout,
                        stored.trouble.empty() ? "" : "  ! " + stored.trouble + "\n");
  }
  return text + fmt::format("Say what to read of it, such as: lockstep inspect {} --input /images --target /labels\n", path.string());
}

std::optional<ChunkVerdict> chunk_verdict(std::int64_t chunks, std::int64_t rows, std::size_t dataset_bytes, std::int64_t asked) {
  const std::vector<std::int64_t> judged = asked > 0 ? std::vector{asked} : std::vector{kFewLanes, kManyLanes};
  for (const std::int64_t lanes : judged) {
    if (chunks < 10 * lanes && default_order(dataset_bytes) == OrderKind::chunk) {
      return ChunkVerdict{fmt::format("{} chunks are fewer than 10 for each of {} lanes: more than 1.1 × the data would be read. "
                                      "Train with at most {} lanes.",
                                      chunks, lanes, std::max<std::int64_t>(1, chunks / 10)),
                          rows / (10 * lanes)};
    }
  }
  return std::nullopt;
}

std::string inspect(const std::filesystem::path& path, const InspectOptions& options) {
  if (std::filesystem::is_regular_file(path)) {
    return list_file(path);
  }
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
    text += inspect_dataset(Dataset::open(part), options);
  }
  return text;
}

}  // namespace lockstep
