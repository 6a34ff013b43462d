#include "plan/passes.hpp"

namespace lockstep {

Graph drop_dead(const Graph& graph) {
  std::vector<bool> alive(graph.nodes().size(), false);
  for (const auto& [name, ref] : graph.outputs()) {
    alive[static_cast<std::size_t>(ref.node)] = true;
  }
  for (std::size_t id = graph.nodes().size(); id-- > 0;) {
    // Training writes a state without reading it; its leaf still says how the state is kept.
    alive[id] = alive[id] || graph.nodes()[id].op == &leaf::state();
    if (alive[id]) {
      for (const Ref ref : graph.nodes()[id].inputs) {
        alive[static_cast<std::size_t>(ref.node)] = true;
      }
    }
  }
  Graph result(graph.batch());
  std::vector<int> moved(graph.nodes().size(), -1);
  for (std::size_t id = 0; id < graph.nodes().size(); ++id) {
    if (!alive[id]) {
      continue;
    }
    std::vector<Value> inputs;
    for (const Ref ref : graph.nodes()[id].inputs) {
      inputs.push_back(result.value({moved[static_cast<std::size_t>(ref.node)], ref.output}));
    }
    moved[id] = result.copy_node(graph.nodes()[id], inputs).ref.node;
  }
  for (const auto& [name, ref] : graph.outputs()) {
    result.set_output(name, result.value({moved[static_cast<std::size_t>(ref.node)], ref.output}));
  }
  return result;
}

}  // namespace lockstep
