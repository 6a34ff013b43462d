#include "cli/samples.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "formats/base64.hpp"
#include "formats/dataset_writer.hpp"
#include "plan/compile.hpp"
#include "train/parameters.hpp"
#include "train/scratch_folder.hpp"

namespace lockstep::cli {
namespace {

using Json = nlohmann::ordered_json;

template <class Number>
std::span<const std::byte> bytes(const std::vector<Number>& numbers) {
  return std::as_bytes(std::span(numbers));
}

/// Row r holds images of the byte r and the label r % 3.
Dataset images(const std::filesystem::path& folder, std::int64_t rows) {
  DatasetWriter writer(folder, {{"features", {1, 2, 3}, DType::u8}, {"labels", {}, DType::i32}}, rows,
                       {.class_names = {"a", "b", "c"}, .mean = {20.0}, .std = {10.0}, .chunk_rows = 4});
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::vector<std::uint8_t> image(6, static_cast<std::uint8_t>(r));
    const std::vector<std::int32_t> label{static_cast<std::int32_t>(r % 3)};
    const std::span<const std::byte> row[] = {bytes(image), bytes(label)};
    writer.append(row);
  }
  writer.close();
  return Dataset::open(folder);
}

/// Row r holds the numbers r, r + 0.5 and the label -r.
Dataset numbers(const std::filesystem::path& folder, std::int64_t rows) {
  DatasetWriter writer(folder, {{"features", {2}, DType::f32}, {"labels", {1}, DType::f32}}, rows,
                       {.statistics = {{"labels", {{1000.0}, {1e-3}}}}});
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto x = static_cast<float>(r);
    const std::vector<float> values{x, x + 0.5f}, label{-x};
    const std::span<const std::byte> row[] = {bytes(values), bytes(label)};
    writer.append(row);
  }
  writer.close();
  return Dataset::open(folder);
}

Json describe(const ModelOptions& options, const Dataset& dataset, RowRange rows, int threads) {
  const Model model = build_model(options);
  const FlatLayout layout = flat_layout(train_lane_graph(model.program("train").rebatch(4)));
  std::vector<float> parameters(static_cast<std::size_t>(layout.size));
  initialise(layout, 3, parameters);
  const Metrics metrics(model);
  Predictor predictor(model, metrics.output(), to_tensors(layout, parameters), threads);
  return describe_samples(predictor, metrics, dataset, rows);
}

ModelOptions classifier() {
  ModelOptions options;
  options.sample = {1, 2, 3};
  options.classes = 3;
  options.hidden = {5};
  return options;
}

TEST(Samples, TellPixelsLabelsAndWhatTheModelSays) {
  const ScratchFolder folder;
  const Dataset data = images(folder / "d", 100);
  const Json json = describe(classifier(), data, {40, 48}, 1);
  EXPECT_EQ(json.at("task"), "classes");
  EXPECT_EQ(json.at("classes"), Json({"a", "b", "c"}));
  ASSERT_EQ(json.at("samples").size(), 24u);
  for (std::size_t i = 0; i < 24; ++i) {
    const Json& sample = json.at("samples").at(i);
    const auto row = static_cast<std::int64_t>(40 + 2 * i);  // evenly spread
    EXPECT_EQ(sample.at("index"), row);
    EXPECT_EQ(sample.at("shape"), Json({1, 2, 3}));
    EXPECT_EQ(sample.at("layout"), "chw");
    EXPECT_EQ(from_base64(sample.at("pixels").get<std::string>()), std::vector<std::byte>(6, static_cast<std::byte>(row)));
    EXPECT_EQ(sample.at("label"), row % 3);
    const auto shares = sample.at("probabilities").get<std::vector<double>>();
    ASSERT_EQ(shares.size(), 3u);
    EXPECT_NEAR(shares[0] + shares[1] + shares[2], 1, 1e-5);
    EXPECT_EQ(sample.at("prediction"), std::ranges::max_element(shares) - shares.begin());
  }
}

TEST(Samples, AreTheSameForAnyThreads) {
  const ScratchFolder folder;
  const Dataset data = images(folder / "d", 30);
  EXPECT_EQ(describe(classifier(), data, {0, 30}, 3).dump(), describe(classifier(), data, {0, 30}, 1).dump());
}

TEST(Samples, OfARegressionAreNumbers) {
  const ScratchFolder folder;
  ModelOptions options;
  options.sample = {2};
  options.labels = {1};
  options.loss = nn::Loss::squared_error;
  options.classes = 1;
  options.hidden = {5};
  const Json json = describe(options, numbers(folder / "d", 3), {0, 3}, 1);
  EXPECT_EQ(json.at("task"), "numbers");
  ASSERT_EQ(json.at("samples").size(), 3u);
  const Json& sample = json.at("samples").at(2);
  EXPECT_EQ(sample.at("layout"), "flat");
  EXPECT_EQ(sample.at("values"), Json({2, 2.5}));
  EXPECT_EQ(sample.at("label"), -2);
  EXPECT_NEAR(sample.at("prediction").get<double>(), 1000, 1);  // in the units of the labels
  EXPECT_FALSE(sample.contains("probabilities"));
}

}  // namespace
}  // namespace lockstep::cli
