#include <algorithm>
#include <array>

#include "lockstep/op.hpp"
#include "plan/passes.hpp"

namespace lockstep {
namespace {

/// Activations whose gradient reads the result alone, so that nobody else needs the operand.
constexpr std::array<std::string_view, 4> kActivations{"relu", "tanh", "sigmoid", "elu"};

bool takes_epilogue(const Node& node) {
  return (node.op->name() == "matmul" || node.op->name() == "conv2d") && !node.attrs.has("activation");
}

bool is_activation(const Node& node) { return std::find(kActivations.begin(), kActivations.end(), node.op->name()) != kActivations.end(); }

std::vector<int> count_readers(const Graph& graph) {
  std::vector<int> readers(graph.nodes().size(), 0);
  for (const Node& node : graph.nodes()) {
    for (const Ref ref : node.inputs) {
      ++readers[static_cast<std::size_t>(ref.node)];
    }
  }
  for (const auto& [name, ref] : graph.outputs()) {
    ++readers[static_cast<std::size_t>(ref.node)];
  }
  return readers;
}

}  // namespace

Graph fuse_epilogues(const Graph& graph) {
  const std::vector<int> readers = count_readers(graph);
  Graph result(graph.batch());
  std::vector<int> moved(graph.nodes().size(), -1);
  for (std::size_t id = 0; id < graph.nodes().size(); ++id) {
    Node node = graph.nodes()[id];
    if (is_activation(node)) {
      const int producer = node.inputs[0].node;
      if (takes_epilogue(graph.node(producer)) && readers[static_cast<std::size_t>(producer)] == 1) {
        Node fused = graph.node(producer);
        fused.attrs.set("activation", std::string(node.op->name()));
        if (node.attrs.has("alpha")) {
          fused.attrs.set("alpha", node.attrs.real("alpha"));
        }
        node = std::move(fused);
      }
    }
    std::vector<Value> inputs;
    for (const Ref ref : node.inputs) {
      inputs.push_back(result.value({moved[static_cast<std::size_t>(ref.node)], ref.output}));
    }
    moved[id] = result.copy_node(node, inputs).ref.node;
  }
  for (const auto& [name, ref] : graph.outputs()) {
    result.set_output(name, result.value({moved[static_cast<std::size_t>(ref.node)], ref.output}));
  }
  return drop_dead(result);
}

}  // namespace lockstep
