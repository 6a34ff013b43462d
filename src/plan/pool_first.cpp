#include "graph/rewrite.hpp"
#include "plan/passes.hpp"

namespace lockstep {

Graph pool_first(const Graph& graph) {
  const std::map<Ref, int> readers = count_readers(graph);
  return drop_dead(rewrite(graph, graph.batch(), [&](Graph& result, int id, const std::vector<Value>& inputs) {
    const Node& node = graph.node(id);
    const Node* relu = node.op->name() == "max_pool" ? &graph.node(node.inputs[0].node) : nullptr;
    if (relu == nullptr || relu->op->name() != "relu" || readers.at(node.inputs[0]) > 1) {
      return copy_outputs(result, node, inputs);
    }
    const Ref x = result.node(inputs[0].ref.node).inputs[0];
    std::vector<Value> pooled = copy_outputs(result, node, {result.value(x)});
    pooled[0] = result.copy_node(*relu, {pooled[0]});
    return pooled;
  }));
}

}  // namespace lockstep
