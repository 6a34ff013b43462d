#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "train/trainer.hpp"

namespace lockstep::cli {

/// From here on USR1 asks the run for a checkpoint and an early end. Call it first of all: before, the signal would end the process.
void listen_for_stop();
/// Whether a signal has asked for it.
[[nodiscard]] bool asked_to_stop();

/// INT and TERM ask for it, too, while this lives, unless they are ignored; a second one does what it always did.
class Interruptible {
 public:
  Interruptible();
  Interruptible(const Interruptible&) = delete;
  Interruptible& operator=(const Interruptible&) = delete;
  ~Interruptible();
};

/// When a run writes checkpoints, and when it ends before its time is up. Rank 0 asks before each step; its wish goes to all with the
/// step's sums, so that all do the same. Clocks decide which checkpoints there are, and never a bit of what is in them.
class Cadence {
 public:
  using Clock = std::chrono::steady_clock;
  using Seconds = std::chrono::duration<double>;
  /// The end of an epoch asks for a checkpoint unless one was begun so short a time ago; where epochs are shorter, not each has one.
  static constexpr Seconds kShortEpoch{5};

  struct Settings {
    std::uint64_t steps = 0;                 ///< a checkpoint after every so many; 0: never
    double seconds = 0;                      ///< a checkpoint after so many; 0: never
    std::optional<Clock::time_point> end{};  ///< the run must have written its last checkpoint by then
  };
  Cadence(const Settings& settings, Clock::time_point now) : settings_(settings), begun_(now) {}

  /// Where another checkpoint would have to wait for the one before, it is asked for as soon as that is written.
  [[nodiscard]] Wish wish(Clock::time_point now, const Moment& moment);

 private:
  Settings settings_;
  Clock::time_point begun_;
  std::optional<Clock::time_point> asked_;
  bool due_ = false;
  int steps_ = 0;
  double slowest_step_ = 0, slowest_copy_ = 0, slowest_write_ = 1;
};

}  // namespace lockstep::cli
