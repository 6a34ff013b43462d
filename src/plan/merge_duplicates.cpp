#include "plan/passes.hpp"

namespace lockstep {

Graph merge_duplicates(const Graph& graph) {
  Graph result(graph.batch());
  std::vector<int> moved(graph.nodes().size(), -1);
  std::multimap<std::pair<const Op*, std::vector<Ref>>, int> known;
  for (std::size_t id = 0; id < graph.nodes().size(); ++id) {
    const Node& node = graph.nodes()[id];
    std::vector<Ref> refs;
    std::vector<Value> inputs;
    for (const Ref ref : node.inputs) {
      refs.push_back({moved[static_cast<std::size_t>(ref.node)], ref.output});
      inputs.push_back(result.value(refs.back()));
    }
    const std::pair key{node.op, refs};
    const auto [first, last] = known.equal_range(key);
    for (auto it = first; it != last && moved[id] < 0; ++it) {
      if (result.node(it->second).attrs == node.attrs) {
        moved[id] = it->second;
      }
    }
    if (moved[id] < 0) {
      moved[id] = result.copy_node(node, inputs).ref.node;
      known.emplace(key, moved[id]);
    }
  }
  for (const auto& [name, ref] : graph.outputs()) {
    result.set_output(name, result.value({moved[static_cast<std::size_t>(ref.node)], ref.output}));
  }
  return result;
}

}  // namespace lockstep
