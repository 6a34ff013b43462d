#include "runtime/reference.hpp"

#include <fmt/format.h>

#include "graph/rewrite.hpp"

namespace lockstep {
namespace {

using Values = std::map<Ref, std::vector<double>>;

std::vector<double> leaf_value(const Node& node, const NamedNumbers& leaves) {
  if (node.op == &leaf::constant()) {
    return {node.attrs.real("value")};
  }
  const std::string& name = node.attrs.text("name");
  const auto it = leaves.find(name);
  if (it == leaves.end()) {
    throw UsageError(fmt::format("reference: no numbers were given for the {} '{}' {}", node.op->name(), name, node.outputs[0].str()));
  }
  if (static_cast<std::int64_t>(it->second.size()) != node.outputs[0].elements()) {
    throw UsageError(fmt::format("reference: the {} '{}' is {}, but {} numbers were given", node.op->name(), name, node.outputs[0].str(),
                                 it->second.size()));
  }
  return it->second;
}

void compute(const Graph& graph, int id, Values& values, const StepContext& step, ReferenceLookup lookup) {
  const Node& node = graph.node(id);
  const std::vector<TensorType> in_types = operand_types(graph, node);
  std::vector<std::span<const double>> in;
  for (const Ref ref : node.inputs) {
    in.emplace_back(values.at(ref));
  }
  std::vector<std::span<double>> out;
  for (std::size_t i = 0; i < node.outputs.size(); ++i) {
    std::vector<double>& value = values[{id, static_cast<int>(i)}];
    value.assign(static_cast<std::size_t>(node.outputs[i].elements()), 0.0);
    out.emplace_back(value);
  }
  lookup (*node.op)({node.attrs, in_types, node.outputs, in, out, step});
}

}  // namespace

std::map<Ref, std::vector<double>> reference_values(const Graph& graph, std::span<const Ref> wanted, const NamedNumbers& leaves,
                                                    const StepContext& step, ReferenceLookup lookup) {
  std::vector<bool> needed(graph.nodes().size(), false);
  for (const Ref ref : wanted) {
    needed[static_cast<std::size_t>(ref.node)] = true;
  }
  needed = with_operands(graph, std::move(needed));
  Values values;
  for (std::size_t id = 0; id < needed.size(); ++id) {
    if (!needed[id]) {
      continue;
    }
    if (leaf::is_leaf(*graph.nodes()[id].op)) {
      values[{static_cast<int>(id), 0}] = leaf_value(graph.nodes()[id], leaves);
    } else {
      compute(graph, static_cast<int>(id), values, step, lookup);
    }
  }
  return values;
}

NamedNumbers run_reference(const Graph& graph, const NamedNumbers& leaves, const StepContext& step, ReferenceLookup lookup) {
  std::vector<Ref> wanted;
  for (const auto& [name, ref] : graph.outputs()) {
    wanted.push_back(ref);
  }
  const Values values = reference_values(graph, wanted, leaves, step, lookup);
  NamedNumbers result;
  for (const auto& [name, ref] : graph.outputs()) {
    result[name] = values.at(ref);
  }
  return result;
}

}  // namespace lockstep
