#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "formats/tensorboard.hpp"
#include "train/watch.hpp"

namespace lockstep {

/// A line of steps.jsonl: means over some steps. Loss, rate and norm have the same bits for every number of workers and threads.
struct StepLine {
  std::uint64_t step = 0;  ///< the last of them
  std::uint64_t epoch = 0;
  double loss = 0;           ///< of a sample
  double learning_rate = 0;  ///< of the last of them
  double gradient_norm = std::numeric_limits<double>::quiet_NaN();
  std::int64_t samples = 0;
  double seconds = std::numeric_limits<double>::quiet_NaN();  ///< sums, as the next four; NaN where a part was before a restart
  double compute_seconds = seconds, data_wait_seconds = seconds, exchange_seconds = seconds, update_seconds = seconds;
  double time = std::numeric_limits<double>::quiet_NaN();  ///< seconds since 1970
  std::string slow{};                                      ///< "rank 1 (node07)": workers that were slow for many steps by then

  /// One line of JSON; NaN becomes null.
  void append_to(std::string& text) const;
  /// None if the text is no such line. Unknown names are passed over, missing numbers are NaN.
  [[nodiscard]] static std::optional<StepLine> from(std::string_view text);
};

/// What a run leaves behind of its steps: RUN/steps.jsonl, model.safetensors at the end, hashes.jsonl where it is shown parameters, and
/// tensorboard/ if that is asked for. Where a run goes on, the files tell what is before the checkpoint, and lines keep their times.
class RunLog final : public Watch {
 public:
  struct Settings {
    std::filesystem::path run;
    std::uint64_t every = 0;  ///< steps of a line; 0: about a hundredth of an epoch
    bool tensorboard = false;
  };
  explicit RunLog(Settings settings) : settings_(std::move(settings)) {}
  /// Writes what is left; a run that has diverged is told of up to its end.
  ~RunLog() override;

  // All throw CheckpointError when a file cannot be written.
  void start(const Start& start) override;
  void step(const StepSeen& seen) override;
  void parameters(std::uint64_t step, const FlatLayout& layout, std::span<const float> flat) override;
  void epoch(const EpochRow& row) override;
  void model(std::span<const NamedTensor> tensors) override;
  nlohmann::ordered_json checkpoint() override;

 private:
  void close_line(const StepSeen& last);
  void flush();
  void show(const StepLine& line);
  void show(const EpochRow& row, double time);
  [[nodiscard]] std::filesystem::path file(const char* name) const { return settings_.run / name; }

  Settings settings_;
  std::uint64_t every_ = 1;
  std::uint64_t counted_ = 0;  ///< steps in the sums
  StepSeen sums_;              ///< of the steps since the last line
  std::string text_;           ///< lines that are not in the file yet
  double unwritten_ = 0;       ///< seconds that they took
  std::optional<EventFile> events_;
};

}  // namespace lockstep
