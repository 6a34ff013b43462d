#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "train/run_folder.hpp"

namespace lockstep {

/// What a run folder's files say of a run.
struct RunFacts {
  std::filesystem::path run;
  std::map<std::string, std::string> settings;  ///< config.ini but for where the run is; several values: joined by a space
  std::vector<EpochRow> history;
};
/// Throws UsageError naming the folder that holds no config.ini or no metrics.jsonl.
[[nodiscard]] RunFacts read_run(const std::filesystem::path& run);

/// What runs are measured by: the first of their validation's figures (more is better, less of an error), else the validation loss, else
/// the training loss, whichever all of them have that have finished an epoch.
struct Measure {
  std::string name;
  bool more = false;  ///< is better
  [[nodiscard]] std::optional<double> of(const EpochRow& row) const;
  /// The best epoch; nothing where there is none with a finite value.
  [[nodiscard]] const EpochRow* best(const RunFacts& run) const;
};
[[nodiscard]] Measure measure_for(std::span<const RunFacts> runs);

/// The rows of a table, the first of them its head: a run a row, the best first; a column for each setting in which the runs differ.
[[nodiscard]] std::vector<std::vector<std::string>> compare(std::span<const RunFacts> runs);

/// From where on two runs' hashes.jsonl differ, as a sentence: "a and b: the same bits through step 120", or the first step and the tensors
/// that differ in it. None where one of them has no such file.
[[nodiscard]] std::optional<std::string> first_difference(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace lockstep
