#include <gtest/gtest.h>

#include "lockstep/nn.hpp"

namespace lockstep {
namespace {

ModelOptions images(const std::string& name) {
  ModelOptions options;
  options.name = name;
  options.sample = {1, 28, 28};
  return options;
}

TEST(Model, CnnHasPyTorchsShapes) {
  const Model model = build_model(images("cnn"));
  // sum(p.numel()) of Sequential(Conv2d(1, 32, 3), ReLU, Conv2d(32, 64, 3), ReLU, MaxPool2d(2), Flatten, Linear(9216, 128), ReLU,
  // Linear(128, 10))
  EXPECT_EQ(model.parameter_count(), 1199882);
  EXPECT_EQ(model.program("train").type(model.program("train").output("logits")).shape, (Shape{2, 10}));
}

TEST(Model, Resnet20HasTheSizeThatItsPaperGives) {
  ModelOptions options = images("resnet20");
  options.sample = {3, 32, 32};
  const Model model = build_model(options);
  // 269,722 with shortcuts that have no parameters, and 32·16 + 2·32 + 64·32 + 2·64 for the two that have
  EXPECT_EQ(model.parameter_count(), 272474);
  EXPECT_EQ(model.least_lane(), 2);
  const Graph& train = model.program("train");
  EXPECT_EQ(train.type(train.output("logits")).shape, (Shape{2, 10}));
}

TEST(Model, GlobalAveragePoolTakesAnyHeightAndWidth) {
  Graph graph(3);
  for (const Shape& sample : {Shape{kBatch, 5, 4, 4}, Shape{kBatch, 5, 2, 7}}) {
    EXPECT_EQ(nn::global_average_pool(graph.input(sample.str(), sample)).shape(), (Shape{3, 5}));
  }
}

TEST(Model, MlpFlattensImages) {
  ModelOptions options = images("mlp");
  options.hidden = {1024, 1024};
  EXPECT_EQ(build_model(options).parameter_count(), 784 * 1024 + 1024 + 1024 * 1024 + 1024 + 1024 * 10 + 10);
}

TEST(Model, JsonReadsBackTheSame) {
  ModelOptions options = images("cnn");
  options.dropout = 0.25;
  options.batch_norm = true;
  const Model model = build_model(options);
  EXPECT_EQ(Model::from_json(model.json()).json(), model.json());
  EXPECT_EQ(model.least_lane(), 2);
}

TEST(Model, EvaluationHasNoDropoutAndNoBatchStatistics) {
  ModelOptions options = images("mlp");
  options.dropout = 0.5;
  options.batch_norm = true;
  const Model model = build_model(options);
  const std::string train = model.program("train").str();
  const std::string evaluate = model.program("evaluate").str();
  EXPECT_NE(train.find("dropout"), std::string::npos);
  EXPECT_NE(train.find("= batch_norm("), std::string::npos);
  EXPECT_EQ(evaluate.find("dropout"), std::string::npos);
  EXPECT_EQ(evaluate.find("= batch_norm("), std::string::npos);
}

TEST(Model, MistakesAreNamed) {
  ModelOptions options = images("perceptron");
  EXPECT_THROW(static_cast<void>(build_model(options)), UsageError);
  options.name = "resnet20";
  options.depth = -1;
  EXPECT_THROW(static_cast<void>(build_model(options)), UsageError);
  options.name = "cnn";
  options.sample = {784};
  EXPECT_THROW(static_cast<void>(build_model(options)), UsageError);
  options = images("mlp");
  options.dropout = 1;
  EXPECT_THROW(static_cast<void>(build_model(options)), UsageError);
  EXPECT_THROW(static_cast<void>(nn::activation_from("relo")), UsageError);
  EXPECT_THROW(static_cast<void>(Model::from_json("{}")), UsageError);
  EXPECT_THROW(static_cast<void>(Model::from_json("nonsense")), UsageError);
  EXPECT_THROW(static_cast<void>(make_model([](nn::Scope& scope) { scope.graph.set_output("y", scope.graph.constant(1)); })), UsageError);
}

}  // namespace
}  // namespace lockstep
