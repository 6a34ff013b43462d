#include "train/early_stopping.hpp"

#include <fmt/format.h>

#include <cmath>

#include "lockstep/error.hpp"

namespace lockstep {

EarlyStopping::EarlyStopping(std::uint64_t patience, double min_delta) : patience_(patience), min_delta_(min_delta) {
  if (!(min_delta >= 0)) {
    throw UsageError(fmt::format("--min-delta {} must be 0 or more", min_delta));
  }
}

bool EarlyStopping::update(double validation_loss) {
  const bool improved = validation_loss < best_ - min_delta_;  // false for NaN
  if (improved) {
    best_ = validation_loss;
  }
  without_improvement_ = improved ? 0 : without_improvement_ + 1;
  return improved;
}

nlohmann::ordered_json EarlyStopping::to_json() const {
  nlohmann::ordered_json json;
  json["best"] = std::isfinite(best_) ? nlohmann::ordered_json(best_) : nlohmann::ordered_json();
  json["epochs_without_improvement"] = without_improvement_;
  return json;
}

void EarlyStopping::restore(const nlohmann::ordered_json& json) {
  try {
    const nlohmann::ordered_json& best = json.at("best");
    const auto without_improvement = json.at("epochs_without_improvement").get<std::uint64_t>();
    best_ = best.is_null() ? std::numeric_limits<double>::infinity() : best.get<double>();
    without_improvement_ = without_improvement;
  } catch (const nlohmann::json::exception& error) {
    throw CheckpointError(fmt::format("the checkpoint's state of early stopping cannot be read ({})", error.what()));
  }
}

}  // namespace lockstep
