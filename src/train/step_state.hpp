#pragma once

#include "train/step_engine.hpp"

namespace lockstep {

/// The training step under way, shared by the threads.
struct StepEngine::Running {
  const StepBatch* batch = nullptr;
  std::span<const Field> fields;
  std::span<const int> lane_samples;
  StepContext context;
  double rates[2] = {0, 0};  ///< of this step and the one before, by their parity
};

}  // namespace lockstep
