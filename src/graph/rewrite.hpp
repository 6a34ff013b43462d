#pragma once

#include "lockstep/graph.hpp"

/// What walks over graphs share.
namespace lockstep {

/// The types of a node's operands.
[[nodiscard]] std::vector<TensorType> operand_types(const Graph& graph, const Node& node);

/// How often each value is read by a node or declared as an output.
[[nodiscard]] std::map<Ref, int> count_readers(const Graph& graph);

/// By node: `wanted`, and all that those need.
[[nodiscard]] std::vector<bool> with_operands(const Graph& graph, std::vector<bool> wanted);

/// Appends a node of another graph as Graph::copy_node, and gives all its outputs.
std::vector<Value> copy_outputs(Graph& graph, const Node& node, const std::vector<Value>& inputs);

/// A graph made again node by node, for `batch` samples. `place(result, id, inputs)` appends what is to stand for node `id`, with `inputs`
/// for its operands, and gives its outputs; none where nothing needs them.
template <class Place>
[[nodiscard]] Graph rewrite(const Graph& graph, std::int64_t batch, Place place) {
  Graph result(batch);
  std::map<Ref, Value> moved;
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) {
    std::vector<Value> inputs;
    for (const Ref ref : graph.node(id).inputs) {
      inputs.push_back(moved[ref]);
    }
    const std::vector<Value> outputs = place(result, id, inputs);
    for (int i = 0; i < static_cast<int>(outputs.size()); ++i) {
      moved[{id, i}] = outputs[static_cast<std::size_t>(i)];
    }
  }
  for (const auto& [name, ref] : graph.outputs()) {
    result.set_output(name, moved.at(ref));
  }
  return result;
}

}  // namespace lockstep
