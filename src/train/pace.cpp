#include "train/pace.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

namespace lockstep {
namespace {

template <class Numbers>
double lower_median(Numbers numbers) {
  const auto middle = numbers.begin() + (std::ssize(numbers) - 1) / 2;
  std::ranges::nth_element(numbers, middle);
  return *middle;
}

}  // namespace

Pace::Pace(std::span<const int> threads_per_worker) {
  for (const int threads : threads_per_worker) {
    workers_.push_back({.threads = threads});
  }
}

bool Pace::add(std::span<const double> per_lane) {
  if (std::ranges::any_of(per_lane, [](double seconds) { return !(seconds > 0); })) {
    return false;
  }
  for (std::size_t w = 0; w < workers_.size(); ++w) {
    workers_[w].window[static_cast<std::size_t>(in_window_)] = per_lane[w];
    workers_[w].seconds += per_lane[w];
  }
  in_window_ = (in_window_ + 1) % kWindow;
  if (in_window_ > 0) {
    return false;
  }
  std::vector<double> medians;
  std::ranges::transform(workers_, std::back_inserter(medians), [](const Worker& worker) { return lower_median(worker.window); });
  const double middle = lower_median(medians);  // of two workers the faster one
  slow_.clear();
  for (std::size_t w = 0; w < workers_.size(); ++w) {
    int& windows = workers_[w].slow_windows;
    windows = medians[w] > kSlow * middle ? windows + 1 : 0;
    if (windows > 0) {
      slow_.push_back({static_cast<int>(w), medians[w] / middle, windows});
    }
  }
  return true;
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
