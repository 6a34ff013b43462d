#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string_view>

#include "lockstep/graph.hpp"

namespace lockstep {

/// Finds an op by name, or null. The table of ops is such a function; the graph itself knows no ops.
using OpLookup = const Op* (*)(std::string_view name);

/// {"nodes": [{"op": "relu", "inputs": ["%3"], "attrs": {...}}, ...], "outputs": {"loss": "%7"}}; "%3.1" is output 1 of node 3. Shapes are
/// not stored: reading infers them again. What is written and read back is the same graph.
[[nodiscard]] nlohmann::ordered_json to_json(const Graph& graph);

/// Throws UsageError naming the node when the text is no graph: an unknown op, an operand that comes later, shapes that do not fit.
[[nodiscard]] Graph graph_from_json(const nlohmann::ordered_json& json, std::int64_t batch, OpLookup lookup);

}  // namespace lockstep
