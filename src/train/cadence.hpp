#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "comm/wish.hpp"

namespace lockstep {

/// When a run writes checkpoints, and when it ends before its time is up. Rank 0 asks before each step; its wish goes to all with the
/// step's sums, so that all do the same. Clocks decide which checkpoints there are, and never a bit of what is in them.
class Cadence {
 public:
  using Clock = std::chrono::steady_clock;
  /// The end of an epoch asks for a checkpoint unless one was begun so short a time ago; where epochs are shorter, not each has one.
  static constexpr std::chrono::duration<double> kShortEpoch{5};

  struct Settings {
    std::uint64_t steps = 0;                 ///< a checkpoint after every so many; 0: never
    double seconds = 0;                      ///< a checkpoint after so many; 0: never
    std::optional<Clock::time_point> end{};  ///< the run must have written its last checkpoint by then
  };
  Cadence(const Settings& settings, Clock::time_point now) : settings_(settings), begun_(now) {}

  /// Before a step, after which `step` steps will be done and, it may be, an epoch. `writing`: the checkpoint before is not on the disk
  /// yet, so that another would have to wait; it is asked for as soon as that is.
  [[nodiscard]] Wish wish(Clock::time_point now, std::uint64_t step, bool epoch_ends, bool writing);
  /// A checkpoint has been taken, which has kept the steps waiting for `seconds`.
  void begun(Clock::time_point now, double seconds);
  /// It was on the disk so many seconds later.
  void written(double seconds);
  /// What it takes to end: twice the slowest step and checkpoint so far.
  [[nodiscard]] std::chrono::duration<double> margin() const;

 private:
  Settings settings_;
  Clock::time_point begun_;
  std::optional<Clock::time_point> asked_;
  bool due_ = false;
  int steps_ = 0;
  double slowest_step_ = 0, slowest_copy_ = 0, slowest_write_ = 1;
};

}  // namespace lockstep
