#include "graph/json.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "lockstep/op.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

const std::array kLeaves{&leaf::input, &leaf::parameter, &leaf::state, &leaf::scalar, &leaf::constant};

/// What each node is called.
std::vector<std::string> labels_of(const Graph& graph) {
  std::set<std::string> taken;
  std::vector<std::string> labels;
  for (const Node& node : graph.nodes()) {
    std::string label = leaf::is_leaf(*node.op) ? node.attrs.text_or("name", "") : "";
    if (label.empty() || label.find(':') != std::string::npos || !taken.insert(label).second) {
      label = fmt::format("{}_{}", node.op->name(), labels.size());
      while (!taken.insert(label).second) {
        label += '_';
      }
    }
    labels.push_back(label);
  }
  return labels;
}

Json attrs_json(const Node& node, const std::string& label) {
  Json attrs = Json::object();
  for (const auto& [key, item] : node.attrs.items()) {
    const bool said = key == "batch" || (leaf::is_leaf(*node.op) && ((key == "name" && node.attrs.text(key) == label) ||
                                                                     (key == "dtype" && node.attrs.text(key) == name_of(DType::f32))));
    if (!said) {
      std::visit([&, k = key](const auto& value) { attrs[k] = value; }, item);
    }
  }
  return attrs;
}

/// Whole numbers are lengths, axes and the like, so that sums and products of a few of them are numbers too.
bool is_whole(const Json& json) { return json.is_number_integer() && std::abs(json.get<double>()) <= INT32_MAX; }

Attrs::Item parse_attr(const Json& json, const std::string& key) {
  if (is_whole(json) || json.is_boolean()) {
    return json.is_boolean() ? std::int64_t{json.get<bool>()} : json.get<std::int64_t>();
  }
  if (json.is_number()) {
    return json.get<double>();
  }
  if (json.is_string()) {
    return json.get<std::string>();
  }
  if (json.is_array() && std::ranges::all_of(json, is_whole)) {
    return json.get<std::vector<std::int64_t>>();
  }
  throw UsageError(fmt::format("\"{}\": {} is no number, text, truth value or list of integers up to {}", key, json.dump(), INT32_MAX));
}

/// "'x' f32 [2, 784] and 'w' f32 [10, 784]"
std::string describe(const std::vector<std::string>& names, const std::vector<Value>& values) {
  std::vector<std::string> parts;
  for (std::size_t i = 0; i < values.size(); ++i) {
    parts.push_back(fmt::format("'{}' {}", names[i], values[i].type().str()));
  }
  return fmt::format("{}", fmt::join(parts, " and "));
}

class Reader {
 public:
  Reader(Graph& graph, OpLookup lookup, const LayerWriter& write_layer) : graph_(graph), lookup_(lookup), write_layer_(write_layer) {}

  void read(const Json& json) {
    const auto nodes = json.find("nodes"), outputs = json.find("outputs");
    if (!json.is_object() || nodes == json.end() || outputs == json.end() || !nodes->is_array() || !outputs->is_object()) {
      throw UsageError("a graph in JSON is {\"nodes\": [...], \"outputs\": {...}}");
    }
    for (std::size_t i = 0; i < nodes->size(); ++i) {
      read_node((*nodes)[i], fmt::format("node {}", i));
    }
    for (const auto& [name, ref] : outputs->items()) {
      declare(name, ref);
    }
  }

 private:
  void read_node(const Json& json, std::string where) {
    const auto text = [&](const char* key) {
      const auto found = json.is_object() ? json.find(key) : json.end();
      return found != json.end() && found->is_string() ? found->get<std::string>() : "";
    };
    const std::string layer = text("layer"), op = text("op"), kind = layer.empty() ? op : layer;
    std::string name = text("name");
    where = name.empty() ? where : fmt::format("node '{}'", name);
    where += kind.empty() ? "" : fmt::format(" ({})", kind);
    std::string operands;
    try {
      if (layer.empty() == op.empty()) {
        throw UsageError("a node is an object with either \"op\" or \"layer\"");
      }
      check_keys(json);
      Attrs attrs;
      const Json given = json.value("attrs", Json::object());
      for (const auto& [key, item] : given.items()) {
        attrs.set(key, parse_attr(item, key));
      }
      const auto inputs = json.value("inputs", std::vector<std::string>());
      std::vector<Value> values;
      for (const std::string& input : inputs) {
        values.push_back(find(input));
      }
      operands = values.empty() ? "" : " of " + describe(inputs, values);
      const bool anonymous = name.empty();
      name = anonymous ? attrs.text_or("name", fmt::format("{}_{}", kind, graph_.nodes().size())) : name;
      if (!layer.empty() && (anonymous || !write_layer_)) {
        throw UsageError(anonymous ? "a layer needs a \"name\"; its parameters are called by it" : "no layers are known here");
      }
      const Value value = layer.empty() ? add(op, name, attrs, values) : write_layer_({layer, name, values, attrs});
      if (!named_.emplace(name, value).second) {
        throw UsageError("an earlier node has this name");
      }
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("{}{}: {}", where, operands, error.what()));
    } catch (const Json::exception& error) {
      throw UsageError(fmt::format("{}: it is not written as it should be: {}", where, error.what()));
    }
  }

  static void check_keys(const Json& json) {
    for (const auto& [key, item] : json.items()) {
      constexpr std::array<std::string_view, 5> kKeys{"name", "op", "layer", "inputs", "attrs"};
      if (std::ranges::find(kKeys, key) == kKeys.end()) {
        throw UsageError(fmt::format("a node has no \"{}\", only {}; settings go into \"attrs\"", key, fmt::join(kKeys, ", ")));
      }
    }
  }

  /// "x", or "x:1" for output 1 of x.
  Value find(const std::string& text) {
    if (const auto known = named_.find(text); known != named_.end()) {
      return known->second;
    }
    const std::size_t colon = text.rfind(':');
    const auto known = colon == std::string::npos ? named_.end() : named_.find(text.substr(0, colon));
    int output = 0;
    const char* const end = text.data() + text.size();
    const bool numbered = known != named_.end() && std::from_chars(text.data() + colon + 1, end, output) == std::from_chars_result{end, {}};
    if (!numbered) {
      throw UsageError(fmt::format("'{}' names no earlier node", text));
    }
    return graph_.output_of(known->second, output);
  }

  Value add(const std::string& op, const std::string& name, const Attrs& attrs, const std::vector<Value>& inputs) {
    const auto* const known_leaf = std::ranges::find(kLeaves, op, [](auto get) { return get().name(); });
    if (known_leaf != kLeaves.end()) {
      if (!inputs.empty()) {
        throw UsageError("it takes no operands");
      }
      return add_leaf((*known_leaf)(), attrs.text_or("name", name), attrs);
    }
    const Op* const known = lookup_(op);
    if (known == nullptr) {
      throw UsageError("there is no such op");
    }
    return graph_.add(*known, attrs, inputs);
  }

  Value add_leaf(const Op& op, const std::string& name, const Attrs& attrs) {
    if (&op == &leaf::constant()) {
      return graph_.constant(attrs.real("value"));
    }
    if (&op == &leaf::scalar()) {
      return graph_.scalar(name);
    }
    const Shape shape(attrs.list("shape"));
    if (&op == &leaf::input()) {
      const auto too_short = [](std::int64_t length) { return length < 1; };
      if (shape.rank() == 0 || shape[0] != kBatch || std::any_of(shape.dims().begin() + 1, shape.dims().end(), too_short)) {
        throw UsageError(
            fmt::format("the shape of an input begins with -1, for the samples, and its other axes have lengths, unlike {}", shape.str()));
      }
      return graph_.input(name, shape, dtype_from(attrs.text_or("dtype", "f32")));
    }
    const Initializer init = initializer_of(attrs, &op == &leaf::state() ? std::optional(Initializer::zeros()) : std::nullopt);
    if (&op == &leaf::state()) {
      momenta_[name] = attrs.has("momentum") ? attrs.real("momentum") : 1;
      return graph_.state(name, shape, init);
    }
    return graph_.parameter(name, shape, init);
  }

  void declare(const std::string& name, const Json& ref) {
    try {
      const Value value = find(ref.is_string() ? ref.get<std::string>() : ref.dump());
      if (!name.starts_with(kStatePrefix)) {
        graph_.set_output(name, value);
        return;
      }
      const std::string state = name.substr(kStatePrefix.size());
      graph_.update_state(state, value, momenta_[state]);
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("output '{}': {}", name, error.what()));
    }
  }

  Graph& graph_;
  OpLookup lookup_;
  const LayerWriter& write_layer_;
  std::map<std::string, Value> named_;
  std::map<std::string, double> momenta_;  ///< of states
};

}  // namespace

Json parse_json(std::string_view text) {
  constexpr int kDeepest = 64;
  std::array<std::set<std::string>, kDeepest + 1> keys;  // so far, of the objects around
  const auto look = [&](int depth, Json::parse_event_t event, const Json& item) {
    if (depth > kDeepest) {
      throw UsageError(fmt::format("it is nested deeper than {} levels", kDeepest));
    }
    if (event == Json::parse_event_t::object_start) {
      keys.at(static_cast<std::size_t>(depth)).clear();
    }
    if (event == Json::parse_event_t::key && !keys.at(static_cast<std::size_t>(depth) - 1).insert(item.get<std::string>()).second) {
      throw UsageError(fmt::format("the key {} comes twice in one object", item.dump()));
    }
    if (item.is_string() && item.get_ref<const std::string&>().find('\0') != std::string::npos) {
      throw UsageError(fmt::format("the text {} holds a NUL", item.dump()));
    }
    return true;
  };
  try {
    return Json::parse(text, look, true, true);
  } catch (const Json::exception& error) {
    throw UsageError(fmt::format("this is no JSON: {}", error.what()));
  }
}

Json to_json(const Graph& graph) {
  const std::vector<std::string> labels = labels_of(graph);
  const auto ref_text = [&](Ref ref) {
    const std::string& label = labels[static_cast<std::size_t>(ref.node)];
    return ref.output == 0 ? label : fmt::format("{}:{}", label, ref.output);
  };
  Json nodes = Json::array();
  for (const Node& node : graph.nodes()) {
    const std::string& label = labels[nodes.size()];
    Json json{{"name", label}, {"op", node.op->name()}};
    for (const Ref ref : node.inputs) {
      json["inputs"].push_back(ref_text(ref));
    }
    if (Json attrs = attrs_json(node, label); !attrs.empty()) {
      json["attrs"] = std::move(attrs);
    }
    nodes.push_back(std::move(json));
  }
  Json outputs = Json::object();
  for (const auto& [name, ref] : graph.outputs()) {
    outputs[name] = ref_text(ref);
  }
  return {{"nodes", nodes}, {"outputs", outputs}};
}

void read_graph(Graph& graph, const Json& json, OpLookup lookup, const LayerWriter& write_layer) {
  Reader(graph, lookup, write_layer).read(json);
}

Graph graph_from_json(const Json& json, std::int64_t batch, OpLookup lookup) {
  Graph graph(batch);
  read_graph(graph, json, lookup);
  return graph;
}

}  // namespace lockstep
