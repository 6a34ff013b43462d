#include "train/pace.hpp"

#include <algorithm>
#include <cmath>

namespace lockstep {

Pace::Pace(std::span<const int> threads_per_worker) {
  for (const int threads : threads_per_worker) {
    workers_.push_back({.threads = threads});
  }
}

void Pace::add(std::span<const double> per_lane) {
  slow_.clear();
  if (std::ranges::any_of(per_lane, [](double seconds) { return !(seconds > 0); })) {
    return;
  }
  sorted_.assign(per_lane.begin(), per_lane.end());
  const auto middle = sorted_.begin() + (std::ssize(sorted_) - 1) / 2;  // of two workers the faster one
  std::ranges::nth_element(sorted_, middle);
  for (std::size_t w = 0; w < workers_.size(); ++w) {
    Worker& worker = workers_[w];
    const double times = per_lane[w] / *middle;
    worker.seconds += per_lane[w];
    worker.slow_steps = times > kSlow ? worker.slow_steps + 1 : 0;
    worker.slow_times = times > kSlow ? worker.slow_times + times : 0;
    if (worker.slow_steps >= kSlowSteps) {
      slow_.push_back({static_cast<int>(w), worker.slow_times / worker.slow_steps, worker.slow_steps});
    }
  }
}

std::optional<std::vector<int>> Pace::better_shares(std::span<const LaneRange> runs) {
  const auto step_seconds = [this](std::span<const LaneRange> dealt) {
    double longest = 0;
    for (std::size_t w = 0; w < workers_.size(); ++w) {
      const int rounds = (dealt[w].size() + workers_[w].threads - 1) / workers_[w].threads;
      longest = std::max(longest, rounds * workers_[w].seconds);
    }
    return longest;
  };
  double fastest = 0;
  for (const Worker& worker : workers_) {
    if (!(worker.seconds > 0)) {
      return std::nullopt;
    }
    fastest = std::max(fastest, worker.threads / worker.seconds);
  }
  constexpr double kWhole = 1000;
  std::vector<int> shares;
  for (const Worker& worker : workers_) {
    shares.push_back(std::max(1, static_cast<int>(std::lround(kWhole * worker.threads / worker.seconds / fastest))));
  }
  const bool better = step_seconds(deal_lanes(runs.back().end, shares)) < (1 - kGain) * step_seconds(runs);
  for (Worker& worker : workers_) {
    worker.seconds = 0;
  }
  return better ? std::optional(std::move(shares)) : std::nullopt;
}

}  // namespace lockstep
