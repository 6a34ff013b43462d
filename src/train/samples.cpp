#include "train/samples.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "data/base64.hpp"
#include "data/reader.hpp"

namespace lockstep {
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

std::vector<double> softmax(std::span<const float> logits) {
  std::vector<double> shares;
  const double greatest = *std::ranges::max_element(logits);
  double sum = 0;
  for (const float logit : logits) {
    shares.push_back(std::exp(logit - greatest));
    sum += shares.back();
  }
  std::ranges::for_each(shares, [sum](double& share) { share /= sum; });
  return shares;
}

/// What a model says of one sample whose `labels` labels it was given `outputs` for.
void describe(Json& sample, Metrics::Task task, std::span<const float> outputs, std::size_t labels) {
  if (task == Metrics::Task::numbers) {
    sample["prediction"] = numbers(outputs.data(), outputs.size());
    return;
  }
  std::vector<double> said, shares;
  if (task == Metrics::Task::several) {
    for (const float logit : outputs) {
      said.push_back(logit > 0 ? 1 : 0);
      shares.push_back(1 / (1 + std::exp(-static_cast<double>(logit))));
    }
  } else {
    const std::size_t classes = outputs.size() / labels;
    for (std::size_t i = 0; i < labels; ++i) {
      const std::span<const float> of = outputs.subspan(i * classes, classes);
      said.push_back(static_cast<double>(std::ranges::max_element(of) - of.begin()));
    }
    shares = labels == 1 ? softmax(outputs) : shares;
  }
  sample["prediction"] = numbers(said.data(), said.size());
  if (!shares.empty() && shares.size() <= kClasses) {
    Json list = Json::array();
    std::ranges::for_each(shares, [&](double share) { list.push_back(rounded(share)); });
    sample["probabilities"] = std::move(list);
  }
}

/// The features of one row as they are stored, where they are an image; else as the model reads them.
void describe_features(Json& sample, ChunkCache& cache, std::int64_t row, const float* read) {
  const Dataset& dataset = cache.dataset();
  const std::size_t features = dataset.field_index("features");
  const Field& field = dataset.fields()[features];
  const Shape& shape = field.sample;
  const bool image = field.dtype == DType::u8 && shape.rank() == 3 && (shape[0] == 1 || shape[0] == 3);
  sample["shape"] = shape.dims();
  sample["layout"] = image ? "chw" : "flat";
  if (!image) {
    const Json values = field.dtype == DType::i32
                            ? numbers(reinterpret_cast<const std::int32_t*>(read), static_cast<std::size_t>(shape.elements()))
                            : numbers(read, static_cast<std::size_t>(shape.elements()));
    sample["values"] = values.is_array() ? values : Json::array({values});
    return;
  }
  std::size_t chunk = 0;
  while (row >= dataset.chunks()[chunk].rows) {
    row -= dataset.chunks()[chunk++].rows;
  }
  const std::vector<std::byte>& bytes = cache.get(chunk)->fields[features];
  sample["pixels"] = base64(std::span(bytes).subspan(static_cast<std::size_t>(row) * field.row_bytes(), field.row_bytes()));
}

}  // namespace

Json describe_samples(StepEngine& engine, const Model& model, const Dataset& dataset, RowRange rows) {
  const Metrics& metrics = engine.metrics();
  if (metrics.task() == Metrics::Task::none || !dataset.has_field("features") || rows.rows == 0) {
    return {};
  }
  const Graph& graph = model.program("evaluate");
  const Shape shape = graph.type(graph.output(metrics.output())).shape;
  const auto outputs = static_cast<std::size_t>(shape.elements() / shape[0]);
  const auto labels = static_cast<std::size_t>(dataset.field("labels").sample.elements());
  const bool classes = metrics.task() == Metrics::Task::classes;
  Json result{{"task", classes                                    ? "classes"
                       : metrics.task() == Metrics::Task::several ? "several"
                                                                  : "numbers"},
              {"classes", dataset.class_names()},
              {"samples", Json::array()}};
  const auto cache = std::make_shared<ChunkCache>(dataset, std::size_t{0});
  const StepTable table(1, 1, 1);
  std::vector<double> sums(engine.evaluation_width());
  const std::int64_t count = std::min(kSamples, rows.rows);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t row = rows.first + rows.rows * i / count;
    ReaderOptions options;
    options.rows = {row, 1};
    options.end_epoch = 1;
    BatchReader reader(cache, table, options);
    const auto field = [&](const LaneBatch& lane, std::string_view name) {
      const auto at = std::ranges::find(reader.fields(), name, &Field::name) - reader.fields().begin();
      return lane.fields[static_cast<std::size_t>(at)];
    };
    Json sample{{"index", row}};
    engine.evaluate(reader.next(), reader.fields(), {}, sums, [&](const LaneBatch& lane, const float* said) {
      describe_features(sample, *cache, row, reinterpret_cast<const float*>(field(lane, "features")));
      const std::byte* const label = field(lane, "labels");
      sample["label"] = dataset.field("labels").dtype == DType::i32 ? numbers(reinterpret_cast<const std::int32_t*>(label), labels)
                                                                    : numbers(reinterpret_cast<const float*>(label), labels);
      describe(sample, metrics.task(), {said, outputs}, labels);
    });
    reader.release();
    result["samples"].push_back(std::move(sample));
  }
  return result;
}

}  // namespace lockstep
