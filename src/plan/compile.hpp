#pragma once

#include "plan/flat_layout.hpp"
#include "runtime/plan.hpp"

namespace lockstep {

inline constexpr std::int64_t kBucketElements = std::int64_t{1} << 20;

/// The graph of one lane's training step, from a model's train graph made for the lane's size: gradients of
/// inverse_batch · Σ loss for every parameter ("gradient:NAME"), state updates weighted by lane_share ("state:NAME"), "loss_sum" and
/// "correct_sum". Requires an output "loss" [n]; "correct" [n] is optional.
[[nodiscard]] Graph train_lane_graph(const Graph& model);

/// The graph of one lane's evaluation: "loss_sum" and "correct_sum", and the model's other outputs as they are.
[[nodiscard]] Graph evaluate_lane_graph(const Graph& model);

/// The flat layout for a training lane's graph: tensors in the order in which the graph finishes their gradients, in buckets of about
/// `bucket_elements`. A bucket holds whole tensors, or some rows of one that a matrix product writes; so every kernel call writes to one
/// bucket. Depends on the graph alone, not on the lane's size.
[[nodiscard]] FlatLayout flat_layout(const Graph& lane_graph, std::int64_t bucket_elements = kBucketElements);

/// Runs the passes. Every parameter and state of the graph must be in `flat`.
[[nodiscard]] Plan compile(const Graph& lane_graph, const FlatLayout& flat);

}  // namespace lockstep
