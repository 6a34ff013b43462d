#include "plan/lane_price.hpp"

#include <algorithm>

#include "graph/rewrite.hpp"
#include "plan/compile.hpp"

namespace lockstep {
namespace {

constexpr double kLeastFlopsPerByte = 32;
constexpr std::int64_t kMostLanes = 64;
constexpr std::int64_t kLeastNormed = 16;  ///< samples that say enough of a mean and a variance
constexpr double kFlopsForAByte = 7;

double flops_of(const Graph& graph) {
  double flops = 0;
  for (const Node& node : graph.nodes()) {
    flops += leaf::is_leaf(*node.op) ? 0 : node.op->cost(operand_types(graph, node), node.outputs, node.attrs).flops;
  }
  return flops;
}

}  // namespace

LaneCost lane_cost(const Model& model) {
  constexpr std::int64_t kSamples = 8;
  const Graph& train = model.program("train");
  return {flops_of(train_lane_graph(train.rebatch(kSamples))) / static_cast<double>(kSamples),
          2 * sizeof(float) * static_cast<double>(model.parameter_count())};
}

int default_lanes(const Model& model, std::int64_t batch) {
  const LaneCost cost = lane_cost(model);
  const std::int64_t least = model.least_lane() > 1 ? kLeastNormed : 1;
  std::int64_t lanes = 1;
  for (std::int64_t v = 2; v <= std::min(batch, kMostLanes); v *= 2) {
    if (batch / v >= least && cost.flops_per_byte(static_cast<double>(batch) / static_cast<double>(v)) >= kLeastFlopsPerByte) {
      lanes = v;
    }
  }
  return static_cast<int>(lanes);
}

double estimated_price(const LaneCost& cost, std::int64_t batch, int lanes) {
  const double flops = cost.flops_per_sample * static_cast<double>(batch);
  const double bytes = kFlopsForAByte * cost.bytes_per_lane;
  return (flops + bytes * lanes) / (flops + bytes);
}

}  // namespace lockstep
