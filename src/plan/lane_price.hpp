#pragma once

#include "lockstep/nn.hpp"

namespace lockstep {

/// What a lane of a model costs: each lane reads all parameters and writes a whole gradient, however few samples it has.
struct LaneCost {
  double flops_per_sample = 0;  ///< forward and backward
  double bytes_per_lane = 0;    ///< parameters read and gradients written

  [[nodiscard]] double flops_per_byte(double samples) const { return flops_per_sample * samples / bytes_per_lane; }
};

[[nodiscard]] LaneCost lane_cost(const Model& model);

/// The largest power of two up to min(batch, 64) at which a lane's step does at least 32 flops for each byte of LaneCost and, with batch
/// norm, has 16 samples; else 1. Depends on the batch and the graph alone.
[[nodiscard]] int default_lanes(const Model& model, std::int64_t batch);

/// Estimated time of a step in this many lanes over its time in one lane, on one thread. A lane's time is modelled as its flops plus
/// 7 flops for each of its bytes, which fits what was measured for 784-1024-1024-10 in 4 and 8 lanes of 128 samples (1.20, 1.49).
[[nodiscard]] double estimated_price(const LaneCost& cost, std::int64_t batch, int lanes);

}  // namespace lockstep
