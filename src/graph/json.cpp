#include "graph/json.hpp"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>

#include "lockstep/error.hpp"
#include "lockstep/op.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

std::string ref_text(Ref ref) { return ref.output == 0 ? fmt::format("%{}", ref.node) : fmt::format("%{}.{}", ref.node, ref.output); }

/// "%3" or "%3.1", of a node before `limit`.
Ref parse_ref(const Json& json, const Graph& graph, std::string_view where) {
  const std::string text = json.is_string() ? json.get<std::string>() : json.dump();
  Ref ref;
  const char* end = text.data() + text.size();
  if (text.size() >= 2 && text[0] == '%') {
    auto [next, error] = std::from_chars(text.data() + 1, end, ref.node);
    if (error == std::errc() && next != end && *next == '.') {
      const auto second = std::from_chars(next + 1, end, ref.output);
      next = second.ptr;
      error = second.ec;
    }
    if (error == std::errc() && next == end && ref.node >= 0 && static_cast<std::size_t>(ref.node) < graph.nodes().size() &&
        ref.output >= 0 && static_cast<std::size_t>(ref.output) < graph.node(ref.node).outputs.size()) {
      return ref;
    }
  }
  throw UsageError(fmt::format("{}: '{}' names no earlier node's output", where, text));
}

Attrs::Item parse_attr(const Json& json, std::string_view where) {
  if (json.is_number_integer()) {
    return json.get<std::int64_t>();
  }
  if (json.is_number_float()) {
    return json.get<double>();
  }
  if (json.is_string()) {
    return json.get<std::string>();
  }
  if (json.is_array()) {
    std::vector<std::int64_t> list;
    for (const Json& item : json) {
      if (!item.is_number_integer()) {
        throw UsageError(fmt::format("{}: a list may hold integers only", where));
      }
      list.push_back(item.get<std::int64_t>());
    }
    return list;
  }
  throw UsageError(fmt::format("{}: {} is no number, text or list of integers", where, json.dump()));
}

/// The output type of a leaf stands in its attributes.
std::vector<TensorType> leaf_types(const Op& op, const Attrs& attrs) {
  if (&op == &leaf::constant()) {
    static_cast<void>(attrs.real("value"));
    return {TensorType{}};
  }
  static_cast<void>(attrs.text("name"));
  if (&op == &leaf::parameter() || &op == &leaf::state()) {
    for (const char* key : {"init", "init_a", "init_b"}) {
      static_cast<void>(attrs.real(key));
    }
  }
  return op.infer({}, attrs);
}

const Op* find_leaf(std::string_view name) {
  for (const Op* op : {&leaf::input(), &leaf::parameter(), &leaf::state(), &leaf::scalar(), &leaf::constant()}) {
    if (op->name() == name) {
      return op;
    }
  }
  return nullptr;
}

void parse_node(Graph& graph, const Json& json, OpLookup lookup) {
  const std::string name = json.at("op").get<std::string>();
  const std::string where = fmt::format("node %{} ({})", graph.nodes().size(), name);
  const Op* op = find_leaf(name);
  op = op != nullptr ? op : lookup(name);
  if (op == nullptr) {
    throw UsageError(fmt::format("{}: there is no such op", where));
  }
  Node node{op, {}, {}, {}};
  if (json.contains("attrs")) {
    for (const auto& [key, item] : json.at("attrs").items()) {
      node.attrs.set(key, parse_attr(item, where));
    }
  }
  std::vector<Value> inputs;
  if (json.contains("inputs")) {
    for (const Json& item : json.at("inputs")) {
      inputs.push_back(graph.value(parse_ref(item, graph, where)));
    }
  }
  try {
    if (leaf::is_leaf(*op)) {
      node.outputs = leaf_types(*op, node.attrs);
    }
    graph.copy_node(node, inputs);
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("{}: {}", where, error.what()));
  }
}

}  // namespace

Json to_json(const Graph& graph) {
  Json nodes = Json::array();
  for (const Node& node : graph.nodes()) {
    Json attrs = Json::object();
    for (const auto& [key, item] : node.attrs.items()) {
      std::visit([&, k = key](const auto& value) { attrs[k] = value; }, item);
    }
    Json inputs = Json::array();
    for (const Ref ref : node.inputs) {
      inputs.push_back(ref_text(ref));
    }
    nodes.push_back({{"op", node.op->name()}, {"inputs", inputs}, {"attrs", attrs}});
  }
  Json outputs = Json::object();
  for (const auto& [name, ref] : graph.outputs()) {
    outputs[name] = ref_text(ref);
  }
  return {{"nodes", nodes}, {"outputs", outputs}};
}

Graph graph_from_json(const Json& json, std::int64_t batch, OpLookup lookup) {
  Graph graph(batch);
  try {
    for (const Json& node : json.at("nodes")) {
      parse_node(graph, node, lookup);
    }
    for (const auto& [name, ref] : json.at("outputs").items()) {
      graph.set_output(name, graph.value(parse_ref(ref, graph, "output '" + name + "'")));
    }
  } catch (const Json::exception& error) {
    throw UsageError(fmt::format("the graph is not written as it should be: {}", error.what()));
  }
  return graph;
}

}  // namespace lockstep
