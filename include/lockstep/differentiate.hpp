#pragma once

#include <span>
#include <vector>

#include "lockstep/graph.hpp"

namespace lockstep {

/// Gradients of a scalar with respect to values of the same graph, appended to it as nodes (reverse accumulation, graph to graph). One
/// value for each of `wrt`, of its shape; zeros where the scalar does not depend on it. What it appends can be differentiated again
/// where every op on the way has a gradient (`expand_all` first, for ops whose backward is hand-written).
/// Requires that `scalar` has one element; throws ShapeError otherwise, UsageError naming an op that has no gradient.
std::vector<Value> differentiate(Value scalar, std::span<const Value> wrt);

/// The same graph with every op that has `expand()` written in primitive ops: for second and higher derivatives.
Graph expand_all(const Graph& graph);

}  // namespace lockstep
