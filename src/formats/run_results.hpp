#pragma once

#include <span>
#include <string>
#include <vector>

#include "formats/run_files.hpp"

/// What runs came to, from their metrics.
namespace lockstep {

/// Names of the figures of the validation beside its loss ("validation_accuracy"), in the order in which they come.
[[nodiscard]] std::vector<std::string> figures_of(std::span<const RunFiles> runs);
/// "validation_top_5_accuracy" → "top 5 accuracy"
[[nodiscard]] std::string title_of(std::string key);
/// A share between 0 and 1, told in percent.
[[nodiscard]] bool is_share(const std::string& key);
[[nodiscard]] bool less_is_better(const std::string& key);
/// As `key` is told.
[[nodiscard]] std::string value_of(const std::string& key, double value);

/// The best epoch by this key; null where there is none with a finite value.
[[nodiscard]] const RunFiles::Json* best_epoch(const RunFiles& run, const std::string& measure);
/// The epoch of the least validation loss, or training loss where nothing is validated; null without epochs.
[[nodiscard]] const RunFiles::Json* best_epoch(const RunFiles& run);
/// The epoch whose parameters are the run's model: the best one where it stops early, else the last; null without epochs.
[[nodiscard]] const RunFiles::Json* model_epoch(const RunFiles& run);
/// Of the parameters that the run ended with, or has after that epoch; empty if unknown.
[[nodiscard]] std::string hash_of(const RunFiles& run);

/// Of what is finite.
[[nodiscard]] double sum_of(const std::vector<double>& numbers);
/// Over the whole run, from steps.jsonl where it is there; NaN if unknown.
[[nodiscard]] double samples_per_second(const RunFiles& run);
[[nodiscard]] double steps_of(const RunFiles& run);

/// Names of the settings that are not the same in all runs, but for the run folder's.
[[nodiscard]] std::vector<std::string> differing_settings(std::span<const RunFiles> runs);

}  // namespace lockstep
