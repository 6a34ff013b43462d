#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "comm/lane_tree.hpp"

namespace lockstep {

/// How fast the workers of a job are, from the seconds that each takes for a lane. Fed the same numbers everywhere, it says the same
/// everywhere.
class Pace {
 public:
  static constexpr double kSlow = 1.5;   ///< times the median of the workers
  static constexpr int kWindow = 20;     ///< steps that are looked at together
  static constexpr double kGain = 0.05;  ///< of a step's time, for which lanes are dealt again

  explicit Pace(std::span<const int> threads_per_worker);

  /// Of a step: seconds for a lane, by worker; a step in which one is 0 (unknown) does not count. True when a window is full: slow() is
  /// another then.
  bool add(std::span<const double> per_lane);

  struct Slow {
    int worker = 0;
    double times = 0;  ///< the median of the workers; each counts with its median step, so that single hitches do not
    int windows = 1;   ///< in a row
  };
  /// Who was slow in the last full window.
  [[nodiscard]] const std::vector<Slow>& slow() const { return slow_; }

  /// The workers' shares of the lanes by what they took since the last call, if these make a step shorter than `runs` do; for deal_lanes.
  [[nodiscard]] std::optional<std::vector<int>> better_shares(std::span<const LaneRange> runs);

 private:
  struct Worker {
    int threads = 1;
    int slow_windows = 0;
    std::array<double, kWindow> window{};
    double seconds = 0;  ///< of a lane in each step, summed
  };

  std::vector<Worker> workers_;
  std::vector<Slow> slow_;
  int in_window_ = 0;
};

}  // namespace lockstep
