#include "train/schedule.hpp"

#include <fmt/format.h>

#include <numbers>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

/// cos(x) for 0 ≤ x ≤ π/2 by its Taylor series, to the precision of double. The C library's last bits differ between its versions.
double cosine(double x) {
  double sum = 1;
  for (int k = 24; k >= 2; k -= 2) {
    sum = 1 - x * x / (k * (k - 1)) * sum;
  }
  return sum;
}

}  // namespace

Schedule schedule_from(std::string_view name) {
  if (name == "constant") {
    return Schedule::constant;
  }
  if (name == "cosine") {
    return Schedule::cosine;
  }
  throw UsageError(fmt::format("'{}' is no schedule of the learning rate; there are constant and cosine", name));
}

std::string_view name_of(Schedule schedule) { return schedule == Schedule::constant ? "constant" : "cosine"; }

double learning_rate(Schedule schedule, double base, std::uint64_t step, std::uint64_t total) {
  if (schedule == Schedule::constant) {
    return base;
  }
  if (step >= total) {
    return 0;
  }
  // (1 + cos 2x) / 2 = cos² x
  const double half = cosine(std::numbers::pi / 2 * (static_cast<double>(step) / static_cast<double>(total)));
  return base * (half * half);
}

}  // namespace lockstep
