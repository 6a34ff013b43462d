#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "graph/json.hpp"
#include "lockstep/differentiate.hpp"
#include "lockstep/error.hpp"
#include "lockstep/gradient_check.hpp"
#include "lockstep/ops.hpp"
#include "ops/table.hpp"

namespace lockstep {
namespace {

/// A dense network with tanh and softmax cross-entropy.
Graph dense_network(std::int64_t samples) {
  Graph graph(samples);
  const Value x = graph.input("features", {kBatch, 5});
  const Value labels = graph.input("labels", {kBatch}, DType::i32);
  const Value w1 = graph.parameter("layers.0.weight", {4, 5}, Initializer::glorot());
  const Value b1 = graph.parameter("layers.0.bias", {4}, Initializer::zeros());
  const Value w2 = graph.parameter("layers.1.weight", {3, 4}, Initializer::glorot());
  const Value hidden = tanh(matmul(x, w1, false, true, b1));
  graph.set_output("loss", mean(softmax_cross_entropy(matmul(hidden, w2, false, true), labels)));
  return graph;
}

Value leaf_named(Graph& graph, const std::string& name) {
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) {
    if (graph.node(id).attrs.has("name") && graph.node(id).attrs.text("name") == name) {
      return graph.value({id, 0});
    }
  }
  return {};
}

TEST(Graph, JsonReadsBackTheSame) {
  const Graph graph = dense_network(3);
  const auto json = to_json(graph);
  const Graph again = graph_from_json(nlohmann::ordered_json::parse(json.dump()), 3, op_named);
  EXPECT_EQ(to_json(again).dump(), json.dump());
  EXPECT_EQ(again.str(), graph.str());
}

TEST(Graph, JsonKeepsLeavesOfOneNameApart) {
  Graph graph(2);
  const Value x = graph.input("x", {kBatch, 3}), w = graph.parameter("x", {3}, Initializer::normal(0.5, 2));
  const Value odd = graph.parameter("a:1", {3}, Initializer::zeros());
  graph.set_output("relu_0", relu(add(mul(x, w), odd)));
  const auto json = to_json(graph);
  EXPECT_EQ(json["nodes"][1]["name"], "parameter_1");
  EXPECT_EQ(json["nodes"][2]["name"], "parameter_2");
  EXPECT_EQ(to_json(graph_from_json(json, 2, op_named)).dump(), json.dump());
}

TEST(Graph, RebatchInfersEveryShapeAgain) {
  const Graph graph = dense_network(2).rebatch(7);
  EXPECT_EQ(graph.batch(), 7);
  EXPECT_EQ(graph.str(), dense_network(7).str());
}

TEST(Graph, JsonNamesTheNodeAtFault) {
  const auto read = [](const char* text) {
    try {
      static_cast<void>(graph_from_json(nlohmann::ordered_json::parse(text), 2, op_named));
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_NE(read(R"({"nodes":[{"op":"frobnicate"}],"outputs":{}})").find("node 0 (frobnicate)"), std::string::npos);
  EXPECT_NE(read(R"({"nodes":[{"name":"y","op":"relu","inputs":["y"]}],"outputs":{}})").find("node 'y' (relu): 'y'"), std::string::npos);
  EXPECT_NE(read(R"({"nodes":[{"name":"c","op":"constant","attrs":{"value":1}}],"outputs":{"y":"c:1"}})").find("output 'y'"),
            std::string::npos);
  EXPECT_NE(read(R"({"nodes":[{"op":"relu","inputs":["c:99999999999999"]}],"outputs":{}})").find("relu"), std::string::npos);
  EXPECT_NE(read(R"({"nodes":[{"name":"y","layer":"dense"}],"outputs":{}})").find("no layers are known"), std::string::npos);
}

TEST(Graph, AParameterDeclaredTwiceMustAgree) {
  Graph graph(2);
  const Value a = graph.parameter("w", {3}, Initializer::zeros());
  EXPECT_EQ(graph.parameter("w", {3}, Initializer::zeros()).ref, a.ref);
  EXPECT_THROW(graph.parameter("w", {4}, Initializer::zeros()), UsageError);
}

TEST(Graph, AStateUpdateMustHaveTheStatesShape) {
  Graph graph(2);
  static_cast<void>(graph.state("mean", {3}, Initializer::zeros()));
  EXPECT_THROW(graph.update_state("mean", graph.constant(1), 0.1), ShapeError);
  EXPECT_THROW(graph.update_state("other", graph.constant(1), 0.1), UsageError);
}

TEST(Differentiate, OnlyScalars) {
  Graph graph(2);
  const Value x = graph.input("x", {kBatch, 3});
  EXPECT_THROW(differentiate(x, std::span(&x, 1)), ShapeError);
}

TEST(Differentiate, WhatDoesNotMatterHasZeros) {
  Graph graph(2);
  const Value x = graph.input("x", {kBatch, 3});
  const Value y = graph.input("y", {kBatch, 3});
  const std::vector<Value> grads = differentiate(sum(square(x)), std::vector{x, y});
  EXPECT_EQ(grads[1].shape(), y.shape());
  EXPECT_EQ(graph.node(grads[1].ref.node).op->name(), "broadcast_to");
}

/// Gradient and Hessian-vector product of the network against central differences in double.
TEST(Differentiate, FirstAndSecondDerivativesOfADenseNetwork) {
  Graph graph = expand_all(dense_network(3));
  const Value loss = graph.value(graph.output("loss"));
  const std::vector<Value> weights{leaf_named(graph, "layers.0.weight"), leaf_named(graph, "layers.0.bias"),
                                   leaf_named(graph, "layers.1.weight")};
  const std::map<std::string, std::vector<double>> labels{{"labels", {0, 2, 1}}};
  const GradientCheck first = check_gradient(loss, weights, {labels});
  EXPECT_TRUE(first.ok) << first.where;
  const GradientCheck second = check_second_gradient(loss, weights, {labels});
  EXPECT_TRUE(second.ok) << second.where;
}

}  // namespace
}  // namespace lockstep
