#include "graph/rewrite.hpp"

namespace lockstep {

std::vector<TensorType> operand_types(const Graph& graph, const Node& node) {
  std::vector<TensorType> types;
  for (const Ref ref : node.inputs) {
    types.push_back(graph.type(ref));
  }
  return types;
}

std::map<Ref, int> count_readers(const Graph& graph) {
  std::map<Ref, int> readers;
  for (const Node& node : graph.nodes()) {
    for (const Ref ref : node.inputs) {
      ++readers[ref];
    }
  }
  for (const auto& [name, ref] : graph.outputs()) {
    ++readers[ref];
  }
  return readers;
}

std::vector<bool> with_operands(const Graph& graph, std::vector<bool> wanted) {
  for (std::size_t id = wanted.size(); id-- > 0;) {
    for (std::size_t i = 0; wanted[id] && i < graph.nodes()[id].inputs.size(); ++i) {
      wanted[static_cast<std::size_t>(graph.nodes()[id].inputs[i].node)] = true;
    }
  }
  return wanted;
}

std::vector<Value> copy_outputs(Graph& graph, const Node& node, const std::vector<Value>& inputs) {
  const Value first = graph.copy_node(node, inputs);
  std::vector<Value> outputs;
  for (int i = 0; i < static_cast<int>(node.outputs.size()); ++i) {
    outputs.push_back(graph.output_of(first, i));
  }
  return outputs;
}

}  // namespace lockstep
