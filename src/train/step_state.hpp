#pragma once

#include <atomic>
#include <memory>
#include <span>

#include "train/step_engine.hpp"

namespace lockstep {

/// How far one bucket is in one round of lanes. Lanes arrive; then threads claim parts of the bucket and fold them.
struct StepEngine::Cell {
  std::atomic<int> arrived{0};
  std::atomic<int> claimed{0};
  std::atomic<int> folded{0};
};

/// The training step under way, shared by the threads.
struct StepEngine::Running {
  const StepBatch* batch = nullptr;
  std::span<const Field> fields;
  StepContext context;
  const StepPlans* plans = nullptr;
  double rate = 0;
  std::vector<int> active;                     ///< [round] lanes that have samples
  std::unique_ptr<Cell[]> cells;               ///< [round][bucket]
  std::vector<const float*> partials;          ///< this worker's, after the last round
  std::unique_ptr<std::atomic<int>[]> pieces;  ///< [bucket] pieces still to be updated

  Cell& cell(int round, int bucket, int buckets) { return cells[static_cast<std::size_t>(round * buckets + bucket)]; }
};

}  // namespace lockstep
