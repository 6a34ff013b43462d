#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>

namespace lockstep {

/// Tracks the best validation loss and says when to give up: after `patience` epochs in a row without a loss below best − min_delta.
class EarlyStopping {
 public:
  /// patience 0: never stop, but still track the best. Throws UsageError if min_delta is negative or NaN.
  EarlyStopping(std::uint64_t patience, double min_delta);

  /// After each validation; true if this is the best so far. NaN and infinity never are.
  bool update(double validation_loss);
  [[nodiscard]] bool should_stop() const { return patience_ > 0 && without_improvement_ >= patience_; }
  /// Infinite before the first improvement.
  [[nodiscard]] double best() const { return best_; }
  [[nodiscard]] std::uint64_t epochs_without_improvement() const { return without_improvement_; }

  /// {"best": number or null, "epochs_without_improvement": n}; the settings are not in it.
  [[nodiscard]] nlohmann::ordered_json to_json() const;
  /// Goes on from what to_json gave. Throws CheckpointError if that is not in `json`.
  void restore(const nlohmann::ordered_json& json);

 private:
  std::uint64_t patience_;
  double min_delta_;
  double best_ = std::numeric_limits<double>::infinity();
  std::uint64_t without_improvement_ = 0;
};

}  // namespace lockstep
