#include <algorithm>
#include <array>

#include "graph/rewrite.hpp"
#include "plan/passes.hpp"

namespace lockstep {
namespace {

/// Activations whose gradient reads the result alone, so that nobody else needs the operand.
constexpr std::array<std::string_view, 4> kActivations{"relu", "tanh", "sigmoid", "elu"};

/// Gives nodes more to do and lets their results stand for those of the nodes that this replaces. A node is copied when it is first
/// asked for, so one that takes over an operand written later comes after it.
class Epilogues {
 public:
  explicit Epilogues(const Graph& graph)
      : old_(graph), nodes_(graph.nodes()), result_(graph.batch()), moved_(nodes_.size(), -1), readers_(count_readers(graph)) {}

  Graph run() {
    for (int id = 0; id < static_cast<int>(nodes_.size()); ++id) {
      take_activation(id);
    }
    for (int id = 0; id < static_cast<int>(nodes_.size()); ++id) {
      take_mask(id);
      sum_before_pool(id);
    }
    for (int id = 0; id < static_cast<int>(nodes_.size()); ++id) {
      moved(id);
    }
    for (const auto& [name, ref] : old_.outputs()) {
      result_.set_output(name, moved(ref));
    }
    return drop_dead(result_);
  }

 private:
  Node& node(Ref ref) { return nodes_[static_cast<std::size_t>(ref.node)]; }
  [[nodiscard]] bool is(Ref ref, std::string_view op) { return ref.output == 0 && node(ref).op->name() == op; }
  [[nodiscard]] bool read_once(Ref ref) const { return readers_.at(ref) == 1; }

  /// What stands for a value of the old graph now.
  [[nodiscard]] Ref standing_for(Ref ref) const {
    const auto it = stand_ins_.find(ref);
    return it == stand_ins_.end() ? ref : it->second;
  }

  /// Whether `ref` is computed from a result of node `id`.
  [[nodiscard]] bool depends_on(Ref ref, int id) {
    std::vector<bool> seen(nodes_.size(), false);
    std::vector<int> todo{standing_for(ref).node};
    while (!todo.empty()) {
      const int at = todo.back();
      todo.pop_back();
      if (at == id) {
        return true;
      }
      for (const Ref input : nodes_[static_cast<std::size_t>(at)].inputs) {
        const int next = standing_for(input).node;
        if (!seen[static_cast<std::size_t>(next)]) {
          seen[static_cast<std::size_t>(next)] = true;
          todo.push_back(next);
        }
      }
    }
    return false;
  }

  /// activation(matmul or conv2d); relu(batch_norm) and relu(batch_norm + residual).
  void take_activation(int id) {
    const Node& activation = nodes_[static_cast<std::size_t>(id)];
    if (std::ranges::find(kActivations, activation.op->name()) == kActivations.end() || !read_once(activation.inputs[0])) {
      return;
    }
    const Ref from = activation.inputs[0];
    const bool relu = activation.op->name() == "relu";
    if ((is(from, "matmul") || is(from, "conv2d") || (relu && is(from, "batch_norm"))) && !node(from).attrs.has("activation")) {
      node(from).attrs.set("activation", std::string(activation.op->name()));
      if (activation.attrs.has("alpha")) {
        node(from).attrs.set("alpha", activation.attrs.real("alpha"));
      }
      stand_ins_[{id, 0}] = from;
    } else if (relu && is(from, "add") && old_.type(node(from).inputs[0]) == old_.type(node(from).inputs[1])) {
      for (const auto& [norm, residual] :
           {std::pair{node(from).inputs[0], node(from).inputs[1]}, {node(from).inputs[1], node(from).inputs[0]}}) {
        if (is(norm, "batch_norm") && !node(norm).attrs.has("activation") && read_once(norm) && !depends_on(residual, norm.node)) {
          node(norm).attrs.set("activation", std::string("relu"));
          node(norm).inputs.push_back(residual);
          stand_ins_[{id, 0}] = norm;
          return;
        }
      }
    }
  }

  /// batch_norm_backward of g·step(y) or (g + addend)·step(y); who else reads that gradient reads it from there.
  void take_mask(int id) {
    Node& backward = nodes_[static_cast<std::size_t>(id)];
    if (backward.op->name() != "batch_norm_backward" || standing_for(backward.inputs[4]) != backward.inputs[4] ||
        !is(backward.inputs[4], "mul")) {
      return;
    }
    const Ref masked = backward.inputs[4];
    Ref g = node(masked).inputs[0], mask = node(masked).inputs[1];
    if (is(g, "step")) {
      std::swap(g, mask);
    }
    if (!is(mask, "step") || old_.type(g) != old_.type(mask)) {
      return;
    }
    mask = standing_for(node(mask).inputs[0]);
    std::vector<Ref> added{g};
    if (is(g, "add") && read_once(g) && old_.type(node(g).inputs[0]) == old_.type(node(g).inputs[1])) {
      added = node(g).inputs;
    }
    const Node& norm = node(mask);
    const bool own = read_once(masked) && is(mask, "batch_norm") && norm.inputs.size() == 3 && backward.inputs[2] == Ref{mask.node, 1};
    std::vector<Ref> inputs(backward.inputs.begin(), backward.inputs.begin() + 4);
    inputs.push_back(added.front());
    inputs.push_back(own ? norm.inputs[2] : mask);
    inputs.insert(inputs.end(), added.begin() + 1, added.end());
    if (std::ranges::any_of(inputs, [&](Ref input) { return depends_on(input, masked.node); })) {
      return;
    }
    backward.inputs = std::move(inputs);
    backward.attrs.set("mask", std::string(own ? "own" : "tensor"));
    if (added.size() > 1) {
      backward.attrs.set("addend", std::int64_t{1});
    }
    if (!own) {
      stand_ins_[masked] = {id, 3};
    }
  }

  /// The sum over the images of max_pool_backward's result is that of its operand: each window gives its gradient to one place.
  void sum_before_pool(int id) {
    Node& total = nodes_[static_cast<std::size_t>(id)];
    if (total.op->name() == "sum" && is(total.inputs[0], "max_pool_backward") &&
        total.attrs.list("axes") == std::vector<std::int64_t>{0, 2, 3}) {
      total.inputs[0] = node(total.inputs[0]).inputs[1];
    }
  }

  int moved(int id) {
    const auto at = static_cast<std::size_t>(id);
    if (moved_[at] < 0) {
      std::vector<Value> inputs;
      for (const Ref ref : nodes_[at].inputs) {
        inputs.push_back(moved(ref));
      }
      moved_[at] = result_.copy_node(nodes_[at], inputs).ref.node;
    }
    return moved_[at];
  }
  Value moved(Ref ref) {
    ref = standing_for(ref);
    return result_.value({moved(ref.node), ref.output});
  }

  const Graph& old_;
  std::deque<Node> nodes_;
  Graph result_;
  std::vector<int> moved_;
  const std::map<Ref, int> readers_;
  std::map<Ref, Ref> stand_ins_;
};

}  // namespace

Graph fuse_epilogues(const Graph& graph) { return Epilogues(graph).run(); }

}  // namespace lockstep
