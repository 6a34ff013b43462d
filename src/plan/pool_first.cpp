#include <map>

#include "lockstep/op.hpp"
#include "plan/passes.hpp"

namespace lockstep {

Graph pool_first(const Graph& graph) {
  std::map<Ref, int> readers;
  for (const Node& node : graph.nodes()) {
    for (const Ref ref : node.inputs) {
      ++readers[ref];
    }
  }
  for (const auto& [name, ref] : graph.outputs()) {
    ++readers[ref];
  }
  Graph result(graph.batch());
  std::map<Ref, Value> moved;
  for (int id = 0; id < static_cast<int>(graph.nodes().size()); ++id) {
    const Node& node = graph.node(id);
    std::vector<Value> inputs;
    for (const Ref ref : node.inputs) {
      inputs.push_back(moved.at(ref));
    }
    const Node* relu = node.op->name() == "max_pool" ? &graph.node(node.inputs[0].node) : nullptr;
    const bool lifts = relu != nullptr && relu->op->name() == "relu" && readers.at(node.inputs[0]) == 1;
    const Value first = result.copy_node(node, lifts ? std::vector{moved.at(relu->inputs[0])} : inputs);
    for (int o = 0; o < static_cast<int>(node.outputs.size()); ++o) {
      moved[{id, o}] = result.output_of(first, o);
    }
    if (lifts) {
      moved[{id, 0}] = result.copy_node(*relu, {first});
    }
  }
  for (const auto& [name, ref] : graph.outputs()) {
    result.set_output(name, moved.at(ref));
  }
  return drop_dead(result);
}

}  // namespace lockstep
