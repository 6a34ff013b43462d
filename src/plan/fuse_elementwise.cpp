#include <algorithm>
#include <set>

#include "ops/table.hpp"
#include "plan/passes.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kLongestChain = 48;

/// Nodes start in groups of their own and join the group of a reader where no other way leads from the one to the other, so that the
/// groups can still be run one after the other.
class Fusion {
 public:
  explicit Fusion(const LaidOut& laid) : laid_(laid), graph_(laid.graph), group_(graph_.nodes().size()), readers_(graph_.nodes().size()) {
    for (std::size_t id = 0; id < graph_.nodes().size(); ++id) {
      group_[id] = static_cast<int>(id);
      members_.push_back({static_cast<int>(id)});
      for (const Ref ref : graph_.nodes()[id].inputs) {
        readers_[static_cast<std::size_t>(ref.node)].push_back(static_cast<int>(id));
      }
    }
  }

  std::vector<Group> run() {
    for (int id = static_cast<int>(graph_.nodes().size()); id-- > 0;) {
      if (fusible(id)) {
        for (const int reader : readers_[static_cast<std::size_t>(id)]) {
          join(id, reader);
        }
      }
    }
    return in_order();
  }

 private:
  [[nodiscard]] bool fusible(int id) const { return graph_.node(id).op->elementwise(); }
  int& group(int id) { return group_[static_cast<std::size_t>(id)]; }
  std::vector<int>& members(int g) { return members_[static_cast<std::size_t>(g)]; }

  void join(int id, int reader) {
    const int from = group(id);
    const int to = group(reader);
    if (from == to || !fusible(reader) || graph_.node(id).outputs[0].shape != graph_.node(reader).outputs[0].shape ||
        laid_.layout({id, 0}) != laid_.layout({reader, 0}) || members(from).size() + members(to).size() > kLongestChain ||
        another_way(from, to) || another_way(to, from)) {
      return;
    }
    for (const int member : members(from)) {
      group(member) = to;
      members(to).push_back(member);
    }
    members(from).clear();
    std::sort(members(to).begin(), members(to).end());
  }

  /// Whether a path leads from a member of group `from` through a third group into group `to`.
  bool another_way(int from, int to) {
    std::set<int> seen{from};
    std::vector<int> todo{from};
    while (!todo.empty()) {
      const int g = todo.back();
      todo.pop_back();
      for (const int member : members(g)) {
        for (const int reader : readers_[static_cast<std::size_t>(member)]) {
          if (group(reader) == to && g != from) {
            return true;
          }
          if (group(reader) != to && seen.insert(group(reader)).second) {
            todo.push_back(group(reader));
          }
        }
      }
    }
    return false;
  }

  /// Kahn's order; among groups that are ready the one whose last node was written first, so the graph's own order stays.
  std::vector<Group> in_order() {
    std::map<int, std::set<int>> needs, feeds;
    std::set<std::pair<int, int>> ready;
    for (int g = 0; g < static_cast<int>(members_.size()); ++g) {
      for (const int member : members(g)) {
        for (const Ref ref : graph_.node(member).inputs) {
          if (group(ref.node) != g) {
            needs[g].insert(group(ref.node));
            feeds[group(ref.node)].insert(g);
          }
        }
      }
    }
    for (int g = 0; g < static_cast<int>(members_.size()); ++g) {
      if (!members(g).empty() && needs[g].empty()) {
        ready.emplace(members(g).back(), g);
      }
    }
    std::vector<Group> order;
    while (!ready.empty()) {
      const int g = ready.begin()->second;
      ready.erase(ready.begin());
      if (!leaf::is_leaf(*graph_.node(members(g)[0]).op) && !graph_.node(members(g)[0]).op->view()) {
        order.push_back(members(g));
      }
      for (const int next : feeds[g]) {
        needs[next].erase(g);
        if (needs[next].empty()) {
          ready.emplace(members(next).back(), next);
        }
      }
    }
    return order;
  }

  const LaidOut& laid_;
  const Graph& graph_;
  std::vector<int> group_;
  std::vector<std::vector<int>> readers_;
  std::vector<std::vector<int>> members_;
};

/// The values that somebody outside the group that computes them reads: another group, a view, or who asked for the outputs.
std::set<Ref> read_outside(const Graph& graph, const std::vector<Group>& groups) {
  std::vector<std::size_t> group_of(graph.nodes().size(), groups.size());
  for (std::size_t g = 0; g < groups.size(); ++g) {
    for (const int id : groups[g]) {
      group_of[static_cast<std::size_t>(id)] = g;
    }
  }
  std::set<Ref> outside;
  for (std::size_t id = 0; id < graph.nodes().size(); ++id) {
    for (const Ref ref : graph.nodes()[id].inputs) {
      if (group_of[id] != group_of[static_cast<std::size_t>(ref.node)]) {
        outside.insert(ref);
      }
    }
  }
  for (const auto& [name, ref] : graph.outputs()) {
    outside.insert(ref);
  }
  return outside;
}

/// The call of a group of elementwise ops, which writes those of its results that are in `outside`.
GroupCall chain_call(const LaidOut& laid, const Group& group, const std::set<Ref>& outside) {
  const Graph& graph = laid.graph;
  const TensorType& result = graph.node(group[0]).outputs[0];
  GroupCall call;
  ChainSpec& chain = call.chain.emplace();
  chain.elements = static_cast<std::size_t>(result.elements());
  for (const int id : group) {
    for (const Ref ref : graph.node(id).inputs) {
      if (std::ranges::find(group, ref.node) != group.end() || std::ranges::find(call.reads, ref) != call.reads.end()) {
        continue;
      }
      call.reads.push_back(ref);
      ChainSpec::Operand& operand = chain.operands.emplace_back();
      operand.dense = graph.type(ref).shape == result.shape;
      if (!operand.dense) {
        operand.axes = broadcast_axes(graph.type(ref).shape, result.shape, laid.layout({group[0], 0}));
      }
    }
  }
  for (const int id : group) {
    const Node& node = graph.node(id);
    ChainSpec::Instruction instruction{entry(*node.op).tile, node.attrs, {}, -1};
    for (const Ref ref : node.inputs) {
      const auto operand = std::ranges::find(call.reads, ref) - call.reads.begin();
      const auto earlier = std::ranges::find(group, ref.node) - group.begin();
      const bool read = operand < static_cast<std::ptrdiff_t>(call.reads.size());
      instruction.sources.push_back(static_cast<int>(read ? operand : static_cast<std::ptrdiff_t>(call.reads.size()) + earlier));
    }
    if (outside.contains({id, 0})) {
      instruction.result = static_cast<int>(call.writes.size());
      call.writes.push_back({id, 0});
    }
    chain.instructions.push_back(std::move(instruction));
  }
  return call;
}

}  // namespace

std::vector<Group> fuse_elementwise(const LaidOut& laid) { return Fusion(laid).run(); }

std::vector<GroupCall> describe_calls(const LaidOut& laid, const std::vector<Group>& groups) {
  const std::set<Ref> outside = read_outside(laid.graph, groups);
  std::vector<GroupCall> calls;
  for (const Group& group : groups) {
    const Node& first = laid.graph.node(group[0]);
    if (first.op->elementwise()) {
      calls.push_back(chain_call(laid, group, outside));
      continue;
    }
    GroupCall& call = calls.emplace_back(GroupCall{first.inputs, {}, {}});
    for (int o = 0; o < static_cast<int>(first.outputs.size()); ++o) {
      call.writes.push_back({group[0], o});
    }
  }
  return calls;
}

}  // namespace lockstep
