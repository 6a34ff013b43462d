#include <algorithm>

#include "graph/rewrite.hpp"
#include "ops/table.hpp"
#include "plan/passes.hpp"

namespace lockstep {
namespace {

/// Makes the graph again node by node, asking each op what it wants to read and write.
class LayoutPass {
 public:
  LaidOut run(const Graph& graph) {
    laid_.graph = rewrite(graph, graph.batch(),
                          [&](Graph& result, int id, const std::vector<Value>& inputs) { return place(result, graph.node(id), inputs); });
    for (const auto& [name, ref] : graph.outputs()) {
      if (const Value value = laid_.graph.value(laid_.graph.output(name));
          !has_own_memory(graph, name) || laid_.layout(value.ref) != Layout::plain) {
        laid_.graph.set_output(name, reorder(value, Layout::plain));
      }
    }
    return std::move(laid_);
  }

 private:
  std::vector<Value> place(Graph& result, const Node& node, std::vector<Value> inputs) {
    if (leaf::is_leaf(*node.op)) {
      return copy_outputs(result, node, {});
    }
    const KernelSpec spec = wanted(node, inputs);
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      inputs[i] = reordered(inputs[i], spec.in_layouts[i]);
    }
    std::vector<Value> outputs = copy_outputs(result, node, inputs);
    for (std::size_t o = 0; o < outputs.size(); ++o) {
      laid_.layouts[outputs[o].ref] = spec.out_layouts[o];
    }
    return outputs;
  }

  [[nodiscard]] KernelSpec wanted(const Node& node, const std::vector<Value>& inputs) const {
    KernelSpec spec{node.attrs, {}, node.outputs, {}, std::vector<Layout>(node.outputs.size(), Layout::plain)};
    for (const Value& input : inputs) {
      spec.in.push_back(input.type());
      spec.in_layouts.push_back(laid_.layout(input.ref));
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

  Value reordered(Value value, Layout layout) {
    const Shape& shape = value.shape();
    const bool same_memory = shape.rank() != 4 || shape[1] == 1 || shape[2] * shape[3] == 1;
    if (laid_.layout(value.ref) == layout || same_memory) {
      return value;
    }
    Value& known = reorders_[{value.ref, layout}];
    return known ? known : known = reorder(value, layout);
  }

  Value reorder(Value value, Layout layout) {
    const Value result = value.graph->add(*find_op("reorder")->op, {}, {value});
    laid_.layouts[result.ref] = layout;
    return result;
  }

  LaidOut laid_{Graph(1), {}};
  std::map<std::pair<Ref, Layout>, Value> reorders_;
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

LaidOut choose_layouts(const Graph& graph) { return LayoutPass().run(graph); }

}  // namespace lockstep
