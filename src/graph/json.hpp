#pragma once

#include <functional>
#include <nlohmann/json_fwd.hpp>

#include "lockstep/graph.hpp"

namespace lockstep {

/// Finds an op by name, or null. The table of ops is such a function; the graph itself knows no ops.
using OpLookup = const Op* (*)(std::string_view name);

/// What a node of JSON says that has "layer" in the place of "op".
struct LayerCall {
  const std::string& layer;
  const std::string& name;
  const std::vector<Value>& inputs;
  const Attrs& attrs;
};
/// Appends a layer's ops and gives its result; the graph itself knows no layers.
using LayerWriter = std::function<Value(const LayerCall&)>;

/// JSON that others may have written: throws UsageError for text that is none, goes deeper than 64 levels, has a key twice in one object,
/// or a text with a NUL in it. Comments are allowed.
[[nodiscard]] nlohmann::ordered_json parse_json(std::string_view text);

/// {"nodes": [{"name": "y", "op": "relu", "inputs": ["x"], "attrs": {...}}, ...], "outputs": {"loss": "y"}}; "pool:1" is output 1 of
/// "pool". Shapes are not stored: reading infers them again. What is written and read back is the same graph. Leaves go by their own
/// names, the others by op and number.
[[nodiscard]] nlohmann::ordered_json to_json(const Graph& graph);

/// Appends what the JSON says to `graph`. Nodes may leave out "name", "inputs", "attrs"; a leaf's attributes "name" (that of the node) and
/// "dtype" (f32), and the numbers of its initialiser (0). Throws UsageError naming the node and its operands' shapes when it is no graph:
/// an unknown op, an operand that comes later, shapes that do not fit.
void read_graph(Graph& graph, const nlohmann::ordered_json& json, OpLookup lookup, const LayerWriter& write_layer = {});

/// A graph of its own for `batch` samples.
[[nodiscard]] Graph graph_from_json(const nlohmann::ordered_json& json, std::int64_t batch, OpLookup lookup);

}  // namespace lockstep
