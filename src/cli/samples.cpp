#include "cli/samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/chunk_cache.hpp"
#include "formats/base64.hpp"

namespace lockstep::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kSamples = 24;
constexpr std::size_t kNumbers = 16;   ///< told of a sample at most
constexpr std::size_t kClasses = 256;  ///< whose probabilities are told

/// Six digits are enough to read; whole numbers keep all of theirs.
Json rounded(double number) {
  if (!std::isfinite(number)) {
    return {};
  }
  constexpr double kWhole = 1e15;
  const bool whole = number == std::trunc(number) && std::abs(number) < kWhole;
  return whole ? Json(static_cast<std::int64_t>(number)) : Json(std::stod(fmt::format("{:.6g}", number)));
}

/// A lone number, or a list of the first ones.
template <class Number>
Json numbers(const Number* begin, std::size_t count) {
  if (count == 1) {
    return rounded(static_cast<double>(*begin));
  }
  Json list = Json::array();
  std::for_each_n(begin, std::min(count, kNumbers), [&](Number number) { list.push_back(rounded(static_cast<double>(number))); });
  return list;
}

/// What a model says of one sample with `labels` labels.
void describe(Json& sample, Metrics::Task task, std::span<const float> outputs, std::size_t labels) {
  if (task == Metrics::Task::numbers) {
    sample["prediction"] = numbers(outputs.data(), outputs.size());
    return;
  }
  std::vector<double> said;
  if (task == Metrics::Task::several) {
    std::ranges::transform(outputs, std::back_inserter(said), [](float share) { return share > 0.5f ? 1 : 0; });
  } else {
    const std::size_t classes = outputs.size() / labels;
    for (std::size_t i = 0; i < labels; ++i) {
      const std::span<const float> of = outputs.subspan(i * classes, classes);
      said.push_back(static_cast<double>(std::ranges::max_element(of) - of.begin()));
    }
  }
  sample["prediction"] = numbers(said.data(), said.size());
  if ((task == Metrics::Task::several || labels == 1) && outputs.size() <= kClasses) {
    Json list = Json::array();
    std::ranges::for_each(outputs, [&](float share) { list.push_back(rounded(static_cast<double>(share))); });
    sample["probabilities"] = std::move(list);
  }
}

/// A field of one row as it is stored.
Json stored(const Field& field, const std::byte* row) {
  const auto count = static_cast<std::size_t>(field.sample.elements());
  switch (field.dtype) {
    case DType::u8:
      return numbers(reinterpret_cast<const std::uint8_t*>(row), count);
    case DType::i32:
      return numbers(reinterpret_cast<const std::int32_t*>(row), count);
    default:
      return numbers(reinterpret_cast<const float*>(row), count);
  }
}

bool is_image(const Field& field) {
  return field.dtype == DType::u8 && field.sample.rank() == 3 && (field.sample[0] == 1 || field.sample[0] == 3);
}

/// The input to show of a sample: an image if there is one, else the first.
std::size_t shown_input(const Predictor& predictor, const Dataset& dataset) {
  std::vector<std::size_t> fields;
  std::ranges::transform(predictor.inputs(), std::back_inserter(fields),
                         [&](const Field& input) { return dataset.field_index(input.name); });
  const auto image = std::ranges::find_if(fields, [&](std::size_t field) { return is_image(dataset.fields()[field]); });
  return image != fields.end() ? *image : fields.front();
}

void describe_features(Json& sample, const Field& field, const std::byte* row) {
  const Shape& shape = field.sample;
  const bool image = is_image(field);
  sample["shape"] = shape.dims();
  sample["layout"] = image ? "chw" : "flat";
  if (image) {
    sample["pixels"] = base64({row, field.row_bytes()});
  } else {
    const Json values = stored(field, row);
    sample["values"] = values.is_array() ? values : Json::array({values});
  }
}

}  // namespace

Json describe_samples(Predictor& predictor, const Metrics& metrics, const Dataset& dataset, RowRange rows) {
  const Metrics::Task task = metrics.task();
  if (task == Metrics::Task::none || predictor.inputs().empty() || !dataset.has_field(metrics.labels()) || rows.rows == 0) {
    return {};
  }
  const std::size_t features = shown_input(predictor, dataset), labels = dataset.field_index(metrics.labels());
  Json result{{"task", task == Metrics::Task::classes   ? "classes"
                       : task == Metrics::Task::several ? "several"
                                                        : "numbers"},
              {"classes", dataset.class_names()},
              {"samples", Json::array()}};
  ChunkCache cache(dataset, 0);
  const std::int64_t count = std::min(kSamples, rows.rows);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = rows.first + rows.rows * i / count;
    std::size_t chunk = 0;
    std::int64_t place = row;
    while (place >= dataset.chunks()[chunk].rows) {
      place -= dataset.chunks()[chunk++].rows;
    }
    const std::shared_ptr<const Chunk> bytes = cache.get(chunk);
    const auto at = [&](std::size_t field) {
      return bytes->fields[field].data() + static_cast<std::size_t>(place) * dataset.fields()[field].row_bytes();
    };
    Json sample{{"index", row}};
    describe_features(sample, dataset.fields()[features], at(features));
    sample["label"] = stored(dataset.fields()[labels], at(labels));
    predictor.run(dataset, {row, 1}, [&](std::int64_t, std::span<const float> outputs) {
      std::vector<float> said(outputs.begin(), outputs.end());
      to_units(task, predictor.shape(), dataset.statistics(metrics.labels()), said);
      describe(sample, task, said, static_cast<std::size_t>(dataset.fields()[labels].sample.elements()));
    });
    result["samples"].push_back(std::move(sample));
  }
  return result;
}

}  // namespace lockstep::cli
