#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "train/metrics.hpp"

namespace lockstep {

/// One epoch of a run. The last three are times: they differ from run to run, are NaN where unknown, and stand in metrics.jsonl alone.
struct EpochRow {
  std::uint64_t epoch = 0;
  std::uint64_t step = 0;
  double train_loss = 0;
  double penalty = 0;  ///< at the end of the epoch; the objective is the loss and this
  std::optional<double> validation_loss = std::nullopt;
  std::vector<Figure> figures{};  ///< of the validation
  double learning_rate = 0;
  double parameter_norm = std::numeric_limits<double>::quiet_NaN();  ///< √Σ w² over all that is trained
  std::string parameter_hash;
  double samples_per_second = std::numeric_limits<double>::quiet_NaN();
  double seconds = std::numeric_limits<double>::quiet_NaN();
  double data_wait_share = std::numeric_limits<double>::quiet_NaN();

  /// What is the same in every run; put this into checkpoints.
  [[nodiscard]] nlohmann::ordered_json to_json() const;
  [[nodiscard]] nlohmann::ordered_json to_json_with_times() const;
  /// From either form; null stands for NaN. Throws CheckpointError if something is missing or of another kind.
  static EpochRow from_json(const nlohmann::ordered_json& json);
  /// A line of metrics.csv: numbers in the shortest form that reads back exactly, nothing for what is missing; figures by these names.
  [[nodiscard]] std::string csv(std::span<const std::string> names) const;
};

/// What a run leaves behind: RUN/config.ini, metrics.csv, metrics.jsonl, samples.json, result.json, model.safetensors and checkpoints/.
class RunFolder {
 public:
  /// Creates the folder. Throws UsageError naming the system's reason if it cannot be created or written to.
  explicit RunFolder(std::filesystem::path path);

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::filesystem::path model() const { return path_ / "model.safetensors"; }
  [[nodiscard]] std::filesystem::path samples() const { return path_ / "samples.json"; }
  /// Of a run that has ended.
  [[nodiscard]] std::filesystem::path result() const { return path_ / "result.json"; }
  [[nodiscard]] std::filesystem::path config() const { return path_ / "config.ini"; }

  // The rest throws CheckpointError when a file cannot be written; it is then as it was before.
  void write_config(std::string_view text) const;
  /// At the start: makes both metrics files tell exactly these epochs (none in a new run, a checkpoint's history when going on), and
  /// removes result.json: the run has not ended.
  /// Times that metrics.jsonl already holds for these very epochs stay. metrics.csv has a column for each of these figures.
  void restore_history(std::span<const EpochRow> rows, std::vector<std::string> figures = {});
  /// Adds an epoch to both metrics files.
  void append(const EpochRow& row) const;

 private:
  std::filesystem::path path_;
  std::vector<std::string> figures_;
};

}  // namespace lockstep
