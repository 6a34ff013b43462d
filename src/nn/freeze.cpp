#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "graph/rewrite.hpp"
#include "lockstep/nn.hpp"

namespace lockstep {
namespace {

bool is_kept(const Node& node) { return node.op == &leaf::parameter() || node.op == &leaf::state(); }

/// The graph with these parameters as states, which take no gradient; in the training program nothing is mixed into them.
Graph freeze(const Graph& graph, const std::set<std::string>& names, bool training) {
  std::map<std::string, Value> frozen;
  Graph result = rewrite(graph, graph.batch(), [&](Graph& into, int id, const std::vector<Value>& inputs) {
    const Node& node = graph.node(id);
    if (!is_kept(node) || !names.contains(node.attrs.text("name"))) {
      return copy_outputs(into, node, inputs);
    }
    const std::string& name = node.attrs.text("name");
    frozen[name] = into.state(name, node.outputs[0].shape, initializer_of(node.attrs));
    return std::vector<Value>{frozen[name]};
  });
  for (const auto& [name, value] : frozen) {
    if (training) {
      result.update_state(name, result.value(value.ref), 0);
    }
  }
  return result;
}

}  // namespace

bool fits_pattern(const std::string& name, const std::string& pattern) { return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0; }

Model freeze(const Model& model, std::span<const std::string> patterns) {
  std::vector<std::string> all;
  for (const Node& node : model.program("train").nodes()) {
    if (is_kept(node)) {
      all.push_back(node.attrs.text("name"));
    }
  }
  std::set<std::string> names;
  for (const std::string& pattern : patterns) {
    const auto fitting = [&](const std::string& name) { return fits_pattern(name, pattern); };
    if (std::ranges::none_of(all, fitting)) {
      throw UsageError(fmt::format("the model has no parameter that fits '{}', only {}", pattern, fmt::join(all, ", ")));
    }
    std::ranges::copy_if(all, std::inserter(names, names.end()), fitting);
  }
  Model result;
  for (const auto& [program, graph] : model.programs) {
    result.programs.emplace(program, freeze(graph, names, program == "train"));
  }
  if (result.parameter_count() == 0) {
    throw UsageError("all parameters are frozen: nothing is left to train");
  }
  return result;
}

}  // namespace lockstep
