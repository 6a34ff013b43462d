#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "lockstep/nn.hpp"
#include "ops/table.hpp"
#include "runtime/reference.hpp"

namespace lockstep {
namespace {

using Numbers = std::vector<double>;

Model identity(nn::Loss loss, const Shape& labels, DType type = DType::f32) {
  return make_model([&](nn::Scope& scope) {
    const Value x = scope.graph.input("features", {kBatch, 3});
    const Value y = mul(x, scope.graph.parameter("scale", {1}, Initializer::ones()));
    if (loss == nn::Loss::cross_entropy) {
      nn::classify(scope, y);
    } else if (loss == nn::Loss::squared_error) {
      nn::regress(scope, labels.rank() == 0 ? reshape(slice(y, 1, 0, 1), {-1}) : y);
    } else {
      nn::label_several(scope, y, type);
    }
  });
}

/// An output for two samples.
Numbers with_scale(const Model& model, const char* program, const char* output, const Numbers& features, const Numbers& labels) {
  return run_reference(model.program(program), {{"features", features}, {"labels", labels}, {"scale", {1}}}, {}, reference_kernel)
      .at(output);
}

void expect_near(const Numbers& got, const Numbers& want) {
  ASSERT_EQ(got.size(), want.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], want[i], 1e-6) << i;
  }
}

TEST(Tasks, ARegressionOfOneNumberAndOfSeveral) {
  const Model one = identity(nn::Loss::squared_error, {}), three = identity(nn::Loss::squared_error, {3});
  expect_near(with_scale(one, "train", "loss", {1, 9, 9, 2, 9, 9}, {3, -1}), {4, 9});
  expect_near(with_scale(three, "train", "loss", {1, 2, 3, 4, 5, 6}, {1, 2, 6, 4, 5, 6}), {3, 0});
  expect_near(with_scale(three, "evaluate", "prediction", {1, 2, 3, 4, 5, 6}, {0, 0, 0, 0, 0, 0}), {1, 2, 3, 4, 5, 6});
}

/// torch.nn.BCEWithLogitsLoss(reduction='none')(logits, labels).mean(1)
TEST(Tasks, SeveralLabelsOfZerosAndOnes) {
  const auto term = [](double z, double t) { return std::log1p(std::exp(z)) - t * z; };
  const Numbers logits{2, -1, 0.5, -3, 1, 4}, labels{1, 0, 0, 1, 1, 0};
  const Numbers losses{(term(2, 1) + term(-1, 0) + term(0.5, 0)) / 3, (term(-3, 1) + term(1, 1) + term(4, 0)) / 3};
  for (const DType type : {DType::f32, DType::i32}) {
    const Model model = identity(nn::Loss::sigmoid_cross_entropy, {3}, type);
    expect_near(with_scale(model, "train", "loss", logits, labels), losses);
    expect_near(with_scale(model, "evaluate", "correct", logits, labels), {2.0 / 3, 1.0 / 3});
  }
}

TEST(Tasks, WeightsOfClassesAreOnTheTrainingLossAlone) {
  const Model plain = identity(nn::Loss::cross_entropy, {});
  const Model weighted = weigh_classes(plain, Numbers{1, 0.5, 4});
  const Numbers logits{1, 2, 3, 3, 0, 0}, labels{1, 2};
  const Numbers loss = with_scale(plain, "train", "loss", logits, labels);
  expect_near(with_scale(weighted, "train", "loss", logits, labels), {0.5 * loss[0], 4 * loss[1]});
  expect_near(with_scale(weighted, "evaluate", "loss", logits, labels), loss);
  EXPECT_THROW(static_cast<void>(weigh_classes(plain, Numbers{1, 2})), UsageError);
  EXPECT_THROW(static_cast<void>(weigh_classes(identity(nn::Loss::squared_error, {3}), Numbers{1, 2, 3})), UsageError);
}

TEST(Tasks, BuiltInModelsLearnNumbersToo) {
  ModelOptions options;
  options.sample = {5};
  options.hidden = {4};
  options.loss = nn::Loss::squared_error;
  options.classes = 1;
  const Model one = build_model(options);
  EXPECT_EQ(one.program("train").type(one.program("train").output("prediction")).shape, Shape{2});
  options.classes = 6;
  options.labels = {2, 3};
  const Model several = build_model(options);
  EXPECT_EQ(several.program("train").type(several.program("train").output("prediction")).shape, (Shape{2, 2, 3}));
  EXPECT_EQ(several.program("train").rebatch(7).nodes().size(), several.program("train").nodes().size());
}

TEST(Tasks, AugmentationIsForImagesInTrainingAlone) {
  const auto count = [](const Graph& graph) {
    return std::count_if(graph.nodes().begin(), graph.nodes().end(), [](const Node& node) { return node.op->name() == "augment"; });
  };
  ModelOptions options;
  options.name = "cnn";
  options.sample = {1, 12, 12};
  const Model model = augment_images(build_model(options), 2, true);
  EXPECT_EQ(count(model.program("train")), 1);
  EXPECT_EQ(count(model.program("evaluate")), 0);
  EXPECT_EQ(Model::from_json(model.json()).json(), model.json());
  EXPECT_EQ(count(model.program("train").rebatch(5)), 1);
  EXPECT_THROW(static_cast<void>(augment_images(identity(nn::Loss::cross_entropy, {}), 0, true)), UsageError);
  EXPECT_THROW(static_cast<void>(augment_images(build_model(options), 12, true)), UsageError);
}

}  // namespace
}  // namespace lockstep
