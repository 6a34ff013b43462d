#include "lockstep/differentiate.hpp"
#include "lockstep/ops.hpp"
#include "plan/compile.hpp"
#include "plan/passes.hpp"

namespace lockstep {
namespace {

/// Copies a model's graph and gives the moved outputs by name; the copy declares none yet.
Graph copy_nodes(const Graph& model) {
  Graph graph(model.batch());
  for (const Node& node : model.nodes()) {
    std::vector<Value> inputs;
    for (const Ref ref : node.inputs) {
      inputs.push_back(graph.value(ref));
    }
    graph.copy_node(node, inputs);
  }
  return graph;
}

void declare_sums(Graph& graph, const Graph& model) {
  for (const char* name : {"loss", "correct"}) {
    if (model.has_output(name)) {
      graph.set_output(std::string(name) + "_sum", sum(graph.value(model.output(name))));
    }
  }
}

}  // namespace

Graph train_lane_graph(const Graph& given) {
  const Graph model = pool_first(given);
  Graph graph = copy_nodes(model);
  std::vector<Value> parameters;
  for (int id = 0; id < static_cast<int>(model.nodes().size()); ++id) {
    if (model.node(id).op == &leaf::parameter()) {
      parameters.push_back(graph.value({id, 0}));
    }
  }
  declare_sums(graph, model);
  const Value objective = mul(sum(graph.value(model.output("loss"))), graph.scalar("inverse_batch"));
  const std::vector<Value> gradients = differentiate(objective, parameters);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    graph.set_output(std::string(kGradientPrefix) + graph.node(parameters[i].ref.node).attrs.text("name"), gradients[i]);
  }
  for (const auto& [name, ref] : model.outputs()) {
    if (name.starts_with(kStatePrefix)) {
      graph.set_output(name, mul(graph.value(ref), graph.scalar("lane_share")));
    }
  }
  return merge_duplicates(drop_dead(graph));
}

Graph evaluate_lane_graph(const Graph& given) {
  const Graph model = pool_first(given);
  Graph graph = copy_nodes(model);
  declare_sums(graph, model);
  for (const auto& [name, ref] : model.outputs()) {
    graph.set_output(name, graph.value(ref));
  }
  return merge_duplicates(drop_dead(graph));
}

}  // namespace lockstep
