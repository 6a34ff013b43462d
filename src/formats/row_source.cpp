#include "formats/row_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>

#include "data/order.hpp"
#include "formats/dataset_writer.hpp"
#include "formats/summary.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

std::int64_t rows_in(const RowSource& source, std::span<const std::span<const std::byte>> values) {
  return static_cast<std::int64_t>(values[0].size() / source.fields[0].row_bytes());
}

void check_class_names(std::span<const std::byte> labels, std::int64_t first, std::size_t names, const std::string& where) {
  for (std::size_t i = 0; i < labels.size() / 4; ++i) {
    std::int32_t label = 0;
    std::memcpy(&label, labels.data() + 4 * i, 4);
    if (label < 0 || static_cast<std::size_t>(label) >= names) {
      throw DataError(fmt::format("{} hold the class {} in row {}, but there are {} class names (0..{}).\n  Give a name for each class.",
                                  where, label, first + static_cast<std::int64_t>(i), names, names - 1));
    }
  }
}

/// One pass over the rows: whether they can be trained on, and their statistics.
std::map<std::string, Statistics> look_through(const RowSource& source, const std::string& where, const ImportOptions& options) {
  Summary summary(source.fields);
  std::int64_t row = 0;
  source.read([&](std::span<const std::span<const std::byte>> values) {
    for (std::size_t f = 0; f < values.size(); ++f) {
      summary.add(f, values[f], row, where);
      if (source.fields[f].name == "labels" && source.fields[f].dtype == DType::i32 && source.fields[f].sample.rank() == 0 &&
          !options.class_names.empty()) {
        check_class_names(values[f], row, options.class_names.size(), where);
      }
    }
    row += rows_in(source, values);
  });
  std::map<std::string, Statistics> statistics;
  for (std::size_t f = 0; f < source.fields.size(); ++f) {
    const std::string& name = source.fields[f].name;
    refuse_non_finite(name, summary.found()[f]);
    if (source.normalised.contains(name)) {
      statistics[name] = name == "weight" ? mean_weight(name, summary.found()[f]) : summary.found()[f].statistics();
    }
  }
  return statistics;
}

/// Weights are for training alone.
RowSource without_weight(const RowSource& source) {
  const auto found = std::ranges::find(source.fields, "weight", &Field::name);
  if (found == source.fields.end()) {
    return source;
  }
  RowSource result = source;
  const auto at = found - source.fields.begin();
  result.fields.erase(result.fields.begin() + at);
  result.normalised.erase("weight");
  result.read = [source, at](const RowSink& take) {
    source.read([&](std::span<const std::span<const std::byte>> values) {
      std::vector<std::span<const std::byte>> kept(values.begin(), values.end());
      kept.erase(kept.begin() + at);
      take(kept);
    });
  };
  return result;
}

void append_all(DatasetWriter& writer, const RowSource& source) {
  source.read([&](std::span<const std::span<const std::byte>> values) { writer.append(values); });
}

/// The rows that are chosen, in their order.
RowSource filtered(const RowSource& source, std::int64_t rows, const std::function<bool(std::int64_t)>& chosen) {
  RowSource result = source;
  result.rows = rows;
  result.read = [source, chosen](const RowSink& take) {
    std::int64_t row = 0;
    source.read([&](std::span<const std::span<const std::byte>> values) {
      const std::int64_t count = rows_in(source, values);
      std::vector<std::vector<std::byte>> kept(values.size());
      for (std::int64_t i = 0; i < count; ++i, ++row) {
        for (std::size_t f = 0; f < values.size() && chosen(row); ++f) {
          const std::size_t width = source.fields[f].row_bytes();
          const auto bytes = values[f].subspan(static_cast<std::size_t>(i) * width, width);
          kept[f].insert(kept[f].end(), bytes.begin(), bytes.end());
        }
      }
      if (!kept[0].empty()) {
        take(std::vector<std::span<const std::byte>>(kept.begin(), kept.end()));
      }
    });
  };
  return result;
}

}  // namespace

void import_rows(const RowSource& train, const std::optional<RowSource>& test_part, const std::filesystem::path& out,
                 const ImportOptions& options) {
  const std::optional<RowSource> test = test_part ? std::optional(without_weight(*test_part)) : std::nullopt;
  if (test && test->fields != without_weight(train).fields) {
    throw DataError("the test rows have other fields, shapes or types than the training rows.\n  Give files of the same form.");
  }
  const std::map<std::string, Statistics> statistics = look_through(train, "the training rows", options);
  if (test) {
    static_cast<void>(look_through(*test, "the test rows", options));
  }
  DatasetOptions write_options{options.class_names, {}, {}, statistics, options.chunk_rows, options.rows_per_shard, train.columns};
  if (const auto features = statistics.find("features"); features != statistics.end()) {
    write_options.mean = features->second.mean;
    write_options.std = features->second.std;
  }
  // Both look for room before either is written, and get their names when both are whole.
  DatasetWriter train_writer(out / "train", train.fields, train.rows, write_options);
  write_options.statistics.erase("weight");
  std::optional<DatasetWriter> test_writer;
  if (test) {
    test_writer.emplace(out / "test", test->fields, test->rows, write_options);
  }
  append_all(train_writer, train);
  if (test) {
    append_all(*test_writer, *test);
  }
  train_writer.close();
  try {
    if (test) {
      test_writer->close();
    }
  } catch (...) {
    std::filesystem::remove_all(out / "train");
    throw;
  }
}

RowSource rows_of(const Dataset& dataset) {
  RowSource source{dataset.fields(), dataset.rows(), {}, {}};
  for (const FieldReading& reading : dataset.readings()) {
    if (reading.normalised) {
      source.normalised.insert(reading.field.name);
    }
  }
  source.read = [dataset](const RowSink& take) {
    for (std::size_t c = 0; c < dataset.chunks().size(); ++c) {
      const Chunk chunk = dataset.read_chunk(c);
      take(std::vector<std::span<const std::byte>>(chunk.fields.begin(), chunk.fields.end()));
    }
  };
  return source;
}

RowSource finite_rows(RowSource source) {
  const auto bad = std::make_shared<std::set<std::int64_t>>();
  std::int64_t first = 0;
  source.read([&](std::span<const std::span<const std::byte>> values) {
    for (std::size_t f = 0; f < values.size(); ++f) {
      const auto width = source.fields[f].sample.elements();
      const auto elements = source.fields[f].dtype == DType::f32 ? rows_in(source, values) * width : 0;
      for (std::int64_t i = 0; i < elements; ++i) {
        float value = 0;
        std::memcpy(&value, values[f].data() + 4 * i, 4);
        if (!std::isfinite(value)) {
          bad->insert(first + i / width);
        }
      }
    }
    first += rows_in(source, values);
  });
  if (bad->empty()) {
    return source;
  }
  source.left_out += std::ssize(*bad);
  return filtered(source, source.rows - std::ssize(*bad), [bad](std::int64_t row) { return !bad->contains(row); });
}

RowSource first_rows(RowSource source, std::int64_t limit) {
  if (limit <= 0 || limit >= source.rows) {
    return source;
  }
  return filtered(source, limit, [limit](std::int64_t row) { return row < limit; });
}

std::pair<RowSource, RowSource> split_source(const RowSource& source, double fraction, std::uint64_t seed) {
  const auto held = std::llround(fraction * static_cast<double>(source.rows));
  if (!(fraction > 0) || held < 1 || held >= source.rows) {
    throw UsageError(fmt::format("--test-fraction {} of {} rows leaves none for one of the parts.", fraction, source.rows));
  }
  const PhiloxKey key = philox_key(seed, "import", "test");
  const auto n = static_cast<std::uint64_t>(source.rows);
  const auto in_test = [=](std::int64_t row) {
    return permuted(static_cast<std::uint64_t>(row), n, key, 0) < static_cast<std::uint64_t>(held);
  };
  return {filtered(source, source.rows - held, [in_test](std::int64_t row) { return !in_test(row); }), filtered(source, held, in_test)};
}

}  // namespace lockstep
