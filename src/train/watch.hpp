#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>

#include "plan/flat_layout.hpp"
#include "train/named_tensor.hpp"
#include "train/run_folder.hpp"

namespace lockstep {

/// What a training step was like. Loss, rate and norm have the same bits for every number of workers and threads; the seconds are rank 0's.
struct StepSeen {
  std::uint64_t step = 0;   ///< steps done, with this one
  std::uint64_t epoch = 0;  ///< from 1
  std::int64_t samples = 0;
  double loss = 0;  ///< Σ over the samples
  double learning_rate = 0;
  double gradient_norm = std::numeric_limits<double>::quiet_NaN();  ///< before clipping; NaN where the step does not need it
  double seconds = 0, compute = 0, data_wait = 0, exchange = 0, update = 0;
  std::string slow{};  ///< workers that have been slow for a while, by name
};

/// Looks on while a run trains; rank 0's trainer calls it, and it changes nothing of the run. `step` is called after every step and must
/// take next to no time.
class Watch {
 public:
  /// Where a run starts or goes on.
  struct Start {
    std::uint64_t step = 0;  ///< steps done
    std::uint64_t steps_per_epoch = 0;
    std::span<const EpochRow> history;
    nlohmann::ordered_json state;  ///< what `checkpoint` gave then; null: nothing
  };

  Watch() = default;
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;
  virtual ~Watch() = default;

  virtual void start(const Start& start) = 0;
  virtual void step(const StepSeen& seen) = 0;
  /// Every TrainSettings::hash_every steps.
  virtual void parameters(std::uint64_t step, const FlatLayout& layout, std::span<const float> flat) = 0;
  virtual void epoch(const EpochRow& row) = 0;
  /// At the end: the parameters and running statistics that the run ends with.
  virtual void model(std::span<const NamedTensor> tensors) = 0;
  /// Before a checkpoint is written: what it needs to go on from there as if nothing had happened; no times.
  [[nodiscard]] virtual nlohmann::ordered_json checkpoint() = 0;
};

}  // namespace lockstep
