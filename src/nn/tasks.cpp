#include <fmt/format.h>

#include <algorithm>

#include "graph/rewrite.hpp"
#include "lockstep/nn.hpp"

/// What models owe to training and evaluation: losses, and what evaluation looks at.
namespace lockstep {
namespace {

Shape with_samples(const Shape& of) {
  std::vector<std::int64_t> dims = of.dims();
  dims[0] = kBatch;
  return Shape(std::move(dims));
}

/// One number a sample.
Value of_a_sample(Value v) { return v.shape().rank() == 1 ? v : mean(flatten(v), {1}); }

/// f32 [rows, 1]
Value column(Graph& graph, std::span<const double> numbers) {
  std::vector<Value> rows;
  for (const double number : numbers) {
    rows.push_back(reshape(graph.constant(number), {1, 1}));
  }
  return concat(rows, 0);
}

}  // namespace

namespace nn {

void classify(const Scope& scope, Value logits) {
  std::vector<std::int64_t> shape{kBatch};
  shape.insert(shape.end(), logits.shape().dims().begin() + 1, logits.shape().dims().end() - 1);
  const Value labels = scope.graph.input("labels", Shape(shape), DType::i32);
  scope.graph.set_output("loss", of_a_sample(softmax_cross_entropy(logits, labels)));
  scope.graph.set_output("correct", of_a_sample(correct(logits, labels)));
  scope.graph.set_output("logits", logits);
}

void regress(const Scope& scope, Value y) {
  scope.graph.set_output("loss", mean_squared_error(y, scope.graph.input("labels", with_samples(y.shape()))));
  scope.graph.set_output("prediction", y);
}

void label_several(const Scope& scope, Value logits, DType type) {
  Value labels = scope.graph.input("labels", with_samples(logits.shape()), type);
  if (type == DType::i32) {
    constexpr double kNumbers[] = {0, 1};
    std::vector<std::int64_t> dims = logits.shape().dims();
    dims[0] = -1;
    labels = reshape(embedding(labels, column(scope.graph, kNumbers)), Shape(std::move(dims)));
  }
  scope.graph.set_output("loss", of_a_sample(sub(softplus(logits), mul(logits, labels))));
  scope.graph.set_output("correct", of_a_sample(equal(step(logits), labels)));
  scope.graph.set_output("logits", logits);
}

}  // namespace nn

Model augment_images(const Model& model, std::int64_t crop, bool flip) {
  Model augmented = model;
  const Graph& graph = model.program("train");
  bool found = false;
  augmented.programs.at("train") = rewrite(graph, graph.batch(), [&](Graph& result, int id, const std::vector<Value>& inputs) {
    const Node& node = graph.node(id);
    std::vector<Value> outputs = copy_outputs(result, node, inputs);
    if (node.op == &leaf::input() && node.attrs.text("name") == "features" && node.outputs[0].shape.rank() == 4) {
      outputs[0] = augment(outputs[0], crop, flip, "features");
      found = true;
    }
    return outputs;
  });
  if (!found) {
    throw UsageError("--augment is for images: a model with an input 'features' [n, channels, height, width]");
  }
  return augmented;
}

Model weigh_classes(Model model, std::span<const double> weights) {
  Graph& graph = model.programs.at("train");
  const Value loss = graph.value(graph.output("loss"));
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) {
    const Node& node = graph.node(id);
    if (node.op == &leaf::input() && node.attrs.text("name") == "labels" && node.outputs[0].dtype == DType::i32 &&
        node.outputs[0].shape.rank() == 1 && graph.has_output("logits")) {
      const std::int64_t classes = graph.type(graph.output("logits")).shape[-1];
      if (classes != std::ssize(weights)) {
        throw UsageError(fmt::format("{} weights of classes are given, but the model has {} classes", weights.size(), classes));
      }
      graph.set_output("loss", mul(loss, reshape(embedding(graph.value({id, 0}), column(graph, weights)), {-1})));
      return model;
    }
  }
  throw UsageError("weights of classes need a model that gives each sample one class");
}

Model weigh_samples(Model model) {
  Graph& graph = model.programs.at("train");
  const bool reads_it =
      std::ranges::any_of(graph.nodes(), [](const Node& node) { return node.op == &leaf::input() && node.attrs.text("name") == "weight"; });
  if (!reads_it) {
    const Value loss = graph.value(graph.output("loss"));
    graph.set_output("loss", mul(loss, graph.input("weight", {kBatch})));
  }
  return model;
}

}  // namespace lockstep
