#include "graph/rewrite.hpp"
#include "plan/passes.hpp"

namespace lockstep {

Graph drop_dead(const Graph& graph) {
  std::vector<bool> alive;
  for (const Node& node : graph.nodes()) {
    alive.push_back(node.op == &leaf::state());  // training writes a state without reading it; its leaf says how the state is kept
  }
  for (const auto& [name, ref] : graph.outputs()) {
    alive[static_cast<std::size_t>(ref.node)] = true;
  }
  alive = with_operands(graph, std::move(alive));
  return rewrite(graph, graph.batch(), [&](Graph& result, int id, const std::vector<Value>& inputs) {
    return alive[static_cast<std::size_t>(id)] ? copy_outputs(result, graph.node(id), inputs) : std::vector<Value>{};
  });
}

}  // namespace lockstep
