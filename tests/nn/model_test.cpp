#include <gtest/gtest.h>

#include "lockstep/gradient_check.hpp"
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

ModelOptions tokens() {
  ModelOptions options;
  options.name = "gpt";
  options.sample = {128};
  options.classes = 96;
  return options;
}

TEST(Model, GptHasTheParametersOfItsParts) {
  const Model model = build_model(tokens());
  const std::int64_t block = 2 * 2 * 128 + (128 * 384 + 384) + (128 * 128 + 128) + (128 * 512 + 512) + (512 * 128 + 128);
  EXPECT_EQ(model.parameter_count(), (96 + 128) * 128 + 4 * block + 2 * 128 + 128 * 96 + 96);
  EXPECT_EQ(model.least_lane(), 1);
  const Graph& train = model.program("train");
  EXPECT_EQ(train.type(train.output("logits")).shape, (Shape{2, 128, 96}));
  EXPECT_EQ(train.type(train.output("loss")).shape, (Shape{2}));
  EXPECT_EQ(train.type(train.output("correct")).shape, (Shape{2}));
}

/// Every parameter's gradient of the mean loss, against central differences.
void expect_gradient(const ModelOptions& options, const std::map<std::string, std::vector<double>>& integers) {
  Graph graph = build_model(options).program("train").rebatch(3);
  std::vector<Value> parameters;
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) {
    if (graph.node(id).op == &leaf::parameter()) {
      parameters.push_back(graph.value({id, 0}));
    }
  }
  const GradientCheck check = check_gradient(mean(graph.value(graph.output("loss"))), parameters, {.leaves = integers});
  EXPECT_TRUE(check.ok) << options.name << ": " << check.where;
}

TEST(Model, Resnet20HasTheRightGradient) {
  ModelOptions options = images("resnet20");
  options.sample = {2, 5, 5};
  options.classes = 3;
  options.depth = 1;
  options.width = 2;
  expect_gradient(options, {{"labels", {0, 2, 1}}});
}

TEST(Model, GptHasTheRightGradient) {
  ModelOptions options = tokens();
  options.sample = {4};
  options.classes = 5;
  options.depth = 2;
  options.width = 4;
  options.heads = 2;
  expect_gradient(options, {{"features", {0, 1, 2, 3, 4, 4, 0, 2, 1, 3, 2, 2}}, {"labels", {1, 2, 3, 4, 4, 0, 2, 1, 3, 2, 2, 0}}});
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
  options = images("gpt");
  EXPECT_THROW(static_cast<void>(build_model(options)), UsageError);
  options = tokens();
  options.heads = 3;
  EXPECT_THROW(static_cast<void>(build_model(options)), ShapeError);
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
