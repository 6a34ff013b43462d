#include "graph/rewrite.hpp"
#include "plan/passes.hpp"

namespace lockstep {

Graph merge_duplicates(const Graph& graph) {
  struct Known {
    const Attrs& attrs;
    std::vector<Value> outputs;
  };
  std::multimap<std::pair<const Op*, std::vector<Ref>>, Known> known;
  return rewrite(graph, graph.batch(), [&](Graph& result, int id, const std::vector<Value>& inputs) {
    const Node& node = graph.node(id);
    std::pair<const Op*, std::vector<Ref>> key{node.op, {}};
    for (const Value& v : inputs) {
      key.second.push_back(v.ref);
    }
    const auto [first, last] = known.equal_range(key);
    for (auto it = first; it != last; ++it) {
      if (it->second.attrs == node.attrs) {
        return it->second.outputs;
      }
    }
    return known.emplace(std::move(key), Known{node.attrs, copy_outputs(result, node, inputs)})->second.outputs;
  });
}

}  // namespace lockstep
