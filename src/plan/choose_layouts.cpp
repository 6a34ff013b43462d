#include <algorithm>

#include "graph/rewrite.hpp"
#include "ops/table.hpp"
#include "plan/passes.hpp"

namespace lockstep {
namespace {

/// Rebuilds the graph node by node, asking each op what it wants to read and write.
class LayoutPass {
 public:
  explicit LayoutPass(const Graph& graph) : old_(graph), laid_{Graph(graph.batch()), {}}, moved_(graph.nodes().size(), -1) {}

  LaidOut run() {
    for (std::size_t id = 0; id < old_.nodes().size(); ++id) {
      place(id);
    }
    for (const auto& [name, ref] : old_.outputs()) {
      Ref moved{moved_[static_cast<std::size_t>(ref.node)], ref.output};
      if (!has_own_memory(old_, name) || laid_.layout(moved) != Layout::plain) {
        moved = reorder(moved, Layout::plain);
      }
      laid_.graph.set_output(name, laid_.graph.value(moved));
    }
    return std::move(laid_);
  }

 private:
  void place(std::size_t id) {
    const Node& node = old_.nodes()[id];
    if (leaf::is_leaf(*node.op)) {
      moved_[id] = laid_.graph.copy_node(node, {}).ref.node;
      return;
    }
    const KernelSpec spec = wanted(node);
    std::vector<Value> inputs;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      inputs.push_back(laid_.graph.value(reordered(moved(node.inputs[i]), spec.in_layouts[i])));
    }
    moved_[id] = laid_.graph.copy_node(node, inputs).ref.node;
    for (std::size_t o = 0; o < node.outputs.size(); ++o) {
      laid_.layouts[{moved_[id], static_cast<int>(o)}] = spec.out_layouts[o];
    }
  }

  [[nodiscard]] KernelSpec wanted(const Node& node) const {
    KernelSpec spec{node.attrs, operand_types(old_, node), node.outputs, {}, std::vector<Layout>(node.outputs.size(), Layout::plain)};
    for (const Ref ref : node.inputs) {
      spec.in_layouts.push_back(laid_.layout(moved(ref)));
    }
    if (node.op->elementwise()) {
      follow_operands(spec);
    } else if (const LayoutRule rule = entry(*node.op).layouts; rule != nullptr) {
      rule(spec);
    } else {
      spec.in_layouts.assign(spec.in.size(), Layout::plain);
    }
    return spec;
  }

  /// Elementwise: operands of the result's own shape lie as the first of them that is not plain; what is broadcast is plain.
  static void follow_operands(KernelSpec& spec) {
    Layout layout = Layout::plain;
    for (std::size_t i = 0; i < spec.in.size(); ++i) {
      if (layout == Layout::plain && spec.in[i].shape == spec.out[0].shape) {
        layout = spec.in_layouts[i];
      }
    }
    for (std::size_t i = 0; i < spec.in.size(); ++i) {
      spec.in_layouts[i] = spec.in[i].shape == spec.out[0].shape ? layout : Layout::plain;
    }
    spec.out_layouts[0] = layout;
  }

  [[nodiscard]] Ref moved(Ref ref) const { return {moved_[static_cast<std::size_t>(ref.node)], ref.output}; }

  Ref reordered(Ref ref, Layout layout) {
    const Shape& shape = laid_.graph.type(ref).shape;
    const bool same_memory = shape.rank() != 4 || shape[1] == 1 || shape[2] * shape[3] == 1;
    if (laid_.layout(ref) == layout || same_memory) {
      return ref;
    }
    const auto [it, fresh] = reorders_.try_emplace({ref, layout});
    if (fresh) {
      it->second = reorder(ref, layout);
    }
    return it->second;
  }

  Ref reorder(Ref ref, Layout layout) {
    const Ref result = laid_.graph.add(*find_op("reorder")->op, {}, {laid_.graph.value(ref)}).ref;
    laid_.layouts[result] = layout;
    return result;
  }

  const Graph& old_;
  LaidOut laid_;
  std::vector<int> moved_;
  std::map<std::pair<Ref, Layout>, Ref> reorders_;
};

}  // namespace

Ref root(const Graph& graph, Ref ref) {
  while (graph.node(ref.node).op->view()) {
    ref = graph.node(ref.node).inputs[0];
  }
  return ref;
}

bool has_own_memory(const Graph& graph, const std::string& output) {
  const Ref mine = root(graph, graph.output(output));
  if (leaf::is_leaf(*graph.node(mine.node).op)) {
    return false;
  }
  const bool flat = output.starts_with(kGradientPrefix) || output.starts_with(kStatePrefix);
  const bool read = flat && std::ranges::any_of(graph.nodes(), [&](const Node& node) {
                      return !node.op->view() && std::ranges::any_of(node.inputs, [&](Ref ref) { return root(graph, ref) == mine; });
                    });
  const bool shared =
      std::ranges::any_of(graph.outputs(), [&](const auto& other) { return other.first != output && root(graph, other.second) == mine; });
  return !read && !shared;
}

LaidOut choose_layouts(const Graph& graph) { return LayoutPass(graph).run(); }

}  // namespace lockstep
