#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "lockstep/gradient_check.hpp"
#include "lockstep/nn.hpp"

namespace lockstep {
namespace {

/// The example of src/nn/README.md.
std::string example() {
  std::ifstream file(LOCKSTEP_SOURCE_DIR "/src/nn/README.md");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  const std::size_t begin = text.find("```json\n") + 8;
  return text.substr(begin, text.find("```", begin) - begin);
}

/// A graph of these nodes whose first one is x [n, 4]; its loss is a node "loss".
std::string file_with(const std::string& nodes, const std::string& outputs = R"({"loss": "loss"})") {
  return R"({"lockstep_model": 2, "graph": {"nodes": [{"name": "x", "op": "input", "attrs": {"shape": [-1, 4]}}, )" + nodes +
         R"(], "outputs": )" + outputs + "}}";
}

std::string what_is_wrong(const std::string& text) {
  try {
    static_cast<void>(Model::from_json(text));
  } catch (const UsageError& error) {
    return error.what();
  }
  return "nothing";
}

#define EXPECT_WRONG(text, part) EXPECT_NE(what_is_wrong(text).find(part), std::string::npos) << what_is_wrong(text)

TEST(ModelFile, TheExampleHasTwoInputsAndTwoOutputs) {
  const Model model = Model::from_json(example());
  for (const char* name : {"train", "evaluate"}) {
    const Graph graph = model.program(name).rebatch(5);
    EXPECT_EQ(graph.type(graph.output("logits")).shape, (Shape{5, 3}));
    EXPECT_EQ(graph.type(graph.output("guess")).shape, (Shape{5, 1}));
    EXPECT_EQ(graph.type(graph.output("loss")).shape, (Shape{5}));
    EXPECT_EQ(graph.str().find("dropout") != std::string::npos, name == std::string("train"));
  }
  EXPECT_EQ(model.parameter_count(), 8 * 9 + 8 + 32 * (8 * 16 + 4) + 32 + 3 * 32 + 3 + 32 + 1);
}

TEST(ModelFile, TheLossIsTheSumOfTheNamedOnes) {
  Graph graph = Model::from_json(example()).program("train").rebatch(3);
  const Value total = graph.value(graph.output("loss"));
  const Node& sum = graph.node(total.ref.node);
  EXPECT_EQ(sum.op->name(), "add");
  EXPECT_EQ(sum.inputs, (std::vector<Ref>{graph.output("loss:kind"), graph.output("loss:price")}));
  std::vector<Value> parameters;
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) {
    if (graph.node(id).op == &leaf::parameter()) {
      parameters.push_back(graph.value({id, 0}));
    }
  }
  const GradientCheck check = check_gradient(mean(total), parameters, {.leaves = {{"kind", {0, 2, 1}}}});
  EXPECT_TRUE(check.ok) << check.where;
}

TEST(ModelFile, WhatIsWrittenReadsBackTheSame) {
  ModelOptions options;
  options.sample = {2, 6, 6};
  for (const char* name : {"mlp", "cnn", "resnet20"}) {
    options.name = name;
    options.batch_norm = options.name == "cnn";
    const Model model = build_model(options);
    EXPECT_EQ(Model::from_json(model.text()).json(), model.json());
    EXPECT_EQ(model.text().find("programs") != std::string::npos, options.name != "mlp") << "one graph where both programs are the same";
  }
  const Model two = Model::from_json(example());
  EXPECT_EQ(Model::from_json(two.text()).json(), two.json());
}

TEST(ModelFile, LayersKnowTrainingFromEvaluation) {
  const Model model = Model::from_json(file_with(R"({"name": "norm", "layer": "batch_norm", "inputs": ["x"], "attrs": {"momentum": 0.25}},
      {"name": "loss", "op": "mean", "inputs": ["norm"], "attrs": {"axes": [1], "keep": false}})"));
  EXPECT_EQ(model.least_lane(), 2);
  EXPECT_NE(model.program("train").str().find("= batch_norm("), std::string::npos);
  EXPECT_EQ(model.program("evaluate").str().find("= batch_norm("), std::string::npos);
  EXPECT_TRUE(model.program("train").has_output("state:norm.running_var"));
  EXPECT_EQ(Model::from_json(model.json()).json(), model.json());
}

TEST(ModelFile, MistakesNameTheNodeAndBothShapes) {
  EXPECT_WRONG(file_with(R"({"name": "w", "op": "parameter", "attrs": {"shape": [3, 5], "init": "he"}},
                            {"name": "y", "op": "matmul", "inputs": ["x", "w"], "attrs": {"transpose_a": 0, "transpose_b": 1}})"),
               "node 'y' (matmul) of 'x' f32 [2, 4] and 'w' f32 [3, 5]");
  EXPECT_WRONG(file_with(R"({"name": "y", "layer": "conv2d", "inputs": ["x"], "attrs": {"channels": 2, "kernel": 3}})"),
               "node 'y' (conv2d) of 'x' f32 [2, 4]");
  EXPECT_WRONG(file_with(R"({"name": "y", "op": "relo", "inputs": ["x"]})"), "node 'y' (relo) of 'x' f32 [2, 4]: there is no such op");
  EXPECT_WRONG(file_with(R"({"name": "y", "layer": "relu", "inputs": ["x"]})"), "there is no such layer; there are dense, ");
  EXPECT_WRONG(file_with(R"({"name": "y", "layer": "dense", "inputs": ["x"], "attrs": {"output": 3}})"),
               "no setting \"output\", but outputs");
  EXPECT_WRONG(file_with(R"({"name": "y", "layer": "dense", "inputs": ["x"], "attrs": {"outputs": 0}})"), "'y.weight' cannot be [0, 4]");
  EXPECT_WRONG(file_with(R"({"layer": "dense", "inputs": ["x"], "attrs": {"outputs": 3}})"), "a layer needs a \"name\"");
  EXPECT_WRONG(file_with(R"({"name": "y", "op": "relu", "inputs": ["z"]})"), "node 'y' (relu): 'z' names no earlier node");
  EXPECT_WRONG(file_with(R"({"name": "x", "op": "relu", "inputs": ["x"]})"), "an earlier node has this name");
  EXPECT_WRONG(file_with(R"({"name": "y", "op": "relu", "input": ["x"]})"), "a node has no \"input\"");
  EXPECT_WRONG(file_with(R"({"name": "y", "op": "relu", "inputs": "x"})"), "node 'y' (relu)");
  EXPECT_WRONG(file_with(R"({"op": "parameter", "name": "w", "attrs": {"shape": [3], "init": "best"}})"), "there is no initialiser 'best'");
  EXPECT_WRONG(file_with(R"({"op": "parameter", "name": "w", "attrs": {"shape": [3]}})"), "'init'");
  EXPECT_WRONG(file_with(R"({"op": "input", "name": "y", "attrs": {"shape": [7, 3]}})"), "begins with -1");
  EXPECT_WRONG(file_with(R"({"name": "loss", "op": "relu", "inputs": ["x"]})"), "the output 'loss' of 3 samples is f32 [3, 4]");
  EXPECT_WRONG(file_with(R"({"name": "loss", "op": "reshape", "inputs": ["x"], "attrs": {"shape": [8]}})"), "reshape");
  EXPECT_WRONG(file_with(R"({"name": "loss", "op": "relu", "inputs": ["x"]})", R"({"loss": "x:1"})"),
               "output 'loss': input has no output 1");
  EXPECT_WRONG(file_with(R"({"name": "y", "op": "relu", "inputs": ["x"]})", R"({"y": "y"})"), "no output 'loss'");
  EXPECT_WRONG(R"({"lockstep_model": 2, "graph": [)", "this is no JSON");
  EXPECT_WRONG(R"({"lockstep_model": 1, "graph": {}})", "this is no model");
  EXPECT_WRONG(R"({"lockstep_model": 2, "programs": {"train": {"nodes": [], "outputs": {}}}})", "no program 'evaluate'");
}

}  // namespace
}  // namespace lockstep
