#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep {

/// Where a run stands. Epochs count from 1.
struct ProgressState {
  std::uint64_t epoch = 1;
  std::uint64_t epochs = 1;
  std::uint64_t step = 0;        ///< done in this epoch
  std::uint64_t steps = 0;       ///< of this epoch
  std::uint64_t steps_left = 0;  ///< to the end of the run
  double loss = 0;
  double samples_per_second = 0;
};

struct ProgressSettings {
  bool terminal = false;
  bool quiet = false;
  double line_every = 30;  ///< seconds between lines where there is no terminal
  std::uint64_t width = 80;

  /// terminal and width as standard output has them.
  static ProgressSettings for_stdout();
};

/// Tells how far a run is: on a terminal one line, redrawn at most ten times a second,
///     epoch 3/10 [#####...............] step 120/469 loss 0.4120 12345 samples/s eta 0:12
/// elsewhere a line of its own every `line_every` seconds. Says nothing when quiet.
class Progress {
 public:
  /// `clock` gives seconds since any moment and never goes back; empty: the system's steady clock. `out` must outlive the object.
  Progress(std::ostream& out, ProgressSettings settings, std::function<double()> clock = {});
  /// Leaves the cursor on a fresh line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(const ProgressState& state);
  /// A line of text that stays (an epoch's result), above the bar.
  void say(std::string_view text);

 private:
  struct Start {
    double time;
    std::uint64_t steps_left;
  };

  [[nodiscard]] std::string eta(const ProgressState& state, double now) const;

  std::ostream& out_;
  ProgressSettings settings_;
  std::function<double()> clock_;
  double last_;
  std::optional<Start> start_;
  bool bar_drawn_ = false;
};

}  // namespace lockstep
