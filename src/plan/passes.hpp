#pragma once

#include "plan/flat_layout.hpp"
#include "runtime/chain.hpp"
#include "runtime/plan.hpp"

/// The passes that make a Plan from a Graph. `train_lane_graph` runs the first three, `compile` the others.
namespace lockstep {

inline constexpr std::string_view kGradientPrefix = "gradient:";

/// Only the nodes that an output needs, and all state.
[[nodiscard]] Graph drop_dead(const Graph& graph);

/// Nodes with the same op, attributes and operands become one.
[[nodiscard]] Graph merge_duplicates(const Graph& graph);

/// max_pool(relu(x)) becomes relu(max_pool(x)): the same numbers and gradients on a fraction of the elements, and x itself need not be kept
/// for the gradient. Before differentiation.
[[nodiscard]] Graph pool_first(const Graph& graph);

/// matmul and conv2d take over an activation that is the only reader of their result, batch_norm a ReLU and the sum before it, and
/// batch_norm_backward the mask of that ReLU's gradient and the sum of two gradients before it; sums of a pooling's gradient are taken
/// before it is spread.
[[nodiscard]] Graph fuse_epilogues(const Graph& graph);

/// A graph in which every value has a memory layout; reorders stand where an op wants another. Declared outputs are plain, each with
/// memory of its own.
struct LaidOut {
  Graph graph;
  std::map<Ref, Layout> layouts;

  [[nodiscard]] Layout layout(Ref ref) const {
    const auto it = layouts.find(ref);
    return it == layouts.end() ? Layout::plain : it->second;
  }
};
[[nodiscard]] LaidOut choose_layouts(const Graph& graph);

/// Nodes that run as one kernel call: a single op, or a chain of elementwise ops of one shape and layout. In an order to run them in.
using Group = std::vector<int>;
[[nodiscard]] std::vector<Group> fuse_elementwise(const LaidOut& laid);

/// The value whose memory this one is: itself, or what it is a view of.
[[nodiscard]] Ref root(const Graph& graph, Ref ref);

/// Whether a declared output's producer can write it where it belongs: it is no leaf, no other output shares its memory, and nobody
/// reads it if it is a gradient or a state.
[[nodiscard]] bool has_own_memory(const Graph& graph, const std::string& output);

/// A group as a kernel call: which values it reads and writes.
struct GroupCall {
  std::vector<Ref> reads, writes;
  std::optional<ChainSpec> chain;  ///< of an elementwise group
};
[[nodiscard]] std::vector<GroupCall> describe_calls(const LaidOut& laid, const std::vector<Group>& groups);

/// Where every value that is read or written lies, by lifetime, in one arena.
struct Memory {
  std::map<Ref, Place> places;
  std::size_t arena_bytes = 0;
  std::size_t tensor_bytes = 0;
};
/// `calls` in running order; `flat` places parameters, gradients and state. `plan` receives inputs, scalars and constants.
[[nodiscard]] Memory assign_memory(const LaidOut& laid, const std::vector<GroupCall>& calls, const FlatLayout& flat, Plan& plan);

}  // namespace lockstep
