#include "train/metrics.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

namespace lockstep {
namespace {

/// A model whose outputs are its features times a number.
Model model(nn::Loss loss, std::int64_t outputs, const Shape& labels = {}, DType type = DType::f32) {
  return make_model([&](nn::Scope& scope) {
    const Value y = mul(scope.graph.input("features", {kBatch, outputs}), scope.graph.parameter("scale", {1}, Initializer::ones()));
    if (loss == nn::Loss::cross_entropy) {
      nn::classify(scope, y);
    } else if (loss == nn::Loss::squared_error) {
      nn::regress(scope, labels.rank() == 0 ? reshape(y, {-1}) : y);
    } else {
      nn::label_several(scope, y, type);
    }
  });
}

/// All figures after the samples were added in two parts.
template <class Label>
std::map<std::string, double> figures(const Metrics& metrics, const std::vector<float>& outputs, const std::vector<Label>& labels,
                                      std::int64_t samples, double correct = 0) {
  StepSums sums{.correct = correct, .samples = samples, .metrics = std::vector<double>(metrics.width())};
  const std::size_t out = outputs.size() / static_cast<std::size_t>(samples), in = labels.size() / static_cast<std::size_t>(samples);
  metrics.add(outputs.data(), reinterpret_cast<const std::byte*>(labels.data()), 1, sums.metrics);
  metrics.add(outputs.data() + out, reinterpret_cast<const std::byte*>(labels.data() + in), samples - 1, sums.metrics);
  std::map<std::string, double> found;
  for (const Figure& figure : metrics.figures(sums)) {
    found[figure.name] = figure.value;
  }
  return found;
}

TEST(Metrics, OfClasses) {
  const Metrics metrics(model(nn::Loss::cross_entropy, 4), 2);
  EXPECT_EQ(metrics.output(), "logits");
  EXPECT_EQ(metrics.names(), (std::vector<std::string>{"accuracy", "top_2_accuracy"}));
  const std::vector<float> logits{9, 1, 2, 3, /**/ 5, 5, 5, 1, /**/ 1, 2, 3, 4, /**/ 1, 7, 7, 0};
  const std::vector<std::int32_t> labels{0, 2, 2, 1};
  const auto found = figures(metrics, logits, labels, 4, 2);
  EXPECT_EQ(found.at("accuracy"), 0.5);
  EXPECT_EQ(found.at("top_2_accuracy"), 0.75) << "of equal logits the first is the greater";
  StepSums sums{.samples = 4, .metrics = std::vector<double>(metrics.width())};
  metrics.add(logits.data(), reinterpret_cast<const std::byte*>(labels.data()), 4, sums.metrics);
  const std::span<const double> confusion = metrics.confusion(sums);
  EXPECT_EQ(std::vector<double>(confusion.begin(), confusion.end()), (std::vector<double>{1, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0}));
}

TEST(Metrics, OfClassesWithoutTopAndMatrix) {
  EXPECT_EQ(Metrics(model(nn::Loss::cross_entropy, 4), 5).names(), (std::vector<std::string>{"accuracy"}));
  const Metrics many(model(nn::Loss::cross_entropy, 1000), 5);
  EXPECT_EQ(many.names().size(), 2U);
  EXPECT_TRUE(many.confusion({.metrics = std::vector<double>(many.width())}).empty());
}

/// sklearn.metrics 1.2: mean_absolute_error, mean_squared_error(squared=False), r2_score
TEST(Metrics, OfNumbers) {
  const std::vector<float> y{2.5F, 0, 2, 8}, t{3, -0.5F, 2, 7};
  const auto one = figures(Metrics(model(nn::Loss::squared_error, 1)), y, t, 4);
  EXPECT_NEAR(one.at("mae"), 0.5, 1e-12);
  EXPECT_NEAR(one.at("rmse"), std::sqrt(0.375), 1e-12);
  EXPECT_NEAR(one.at("r2"), 0.9486081370449679, 1e-12);
  const std::vector<float> y2{0, 2, -1, 2, 8, -5}, t2{0.5F, 1, -1, 1, 7, -6};
  const auto two = figures(Metrics(model(nn::Loss::squared_error, 2, {2})), y2, t2, 3);
  EXPECT_NEAR(two.at("mae"), 0.75, 1e-12);
  EXPECT_NEAR(two.at("r2"), 0.9368005266622779, 1e-12);
  const auto scaled = figures(Metrics(model(nn::Loss::squared_error, 2, {2}), 5, {2, 10}), y2, t2, 3);
  EXPECT_NEAR(scaled.at("mae"), (2 * 1.5 + 10 * 3) / 6, 1e-12);
  EXPECT_NEAR(scaled.at("r2"), two.at("r2"), 1e-12);
}

TEST(Metrics, OfSeveralLabels) {
  const std::vector<float> logits{2, -1, 0.5F, -3, 1, 4};
  const auto expect = [&](const std::map<std::string, double>& found) {
    EXPECT_NEAR(found.at("precision"), 2.0 / 4, 1e-12);
    EXPECT_NEAR(found.at("recall"), 2.0 / 3, 1e-12);
    EXPECT_NEAR(found.at("f1"), 4.0 / 7, 1e-12);
  };
  expect(figures(Metrics(model(nn::Loss::sigmoid_cross_entropy, 3)), logits, std::vector<float>{1, 0, 0, 1, 1, 0}, 2));
  expect(
      figures(Metrics(model(nn::Loss::sigmoid_cross_entropy, 3, {}, DType::i32)), logits, std::vector<std::int32_t>{1, 0, 0, 1, 1, 0}, 2));
}

TEST(Metrics, NoneOfAModelThatSaysNothingOfItself) {
  const Model own = make_model([](nn::Scope& scope) {
    const Value x = scope.graph.input("features", {kBatch, 2});
    scope.graph.set_output("loss", mean_squared_error(mul(x, scope.graph.parameter("scale", {1}, {})), x));
  });
  const Metrics metrics(own);
  EXPECT_EQ(metrics.width(), 0U);
  EXPECT_TRUE(metrics.output().empty());
  EXPECT_TRUE(metrics.figures({.samples = 3}).empty());
}

}  // namespace
}  // namespace lockstep
