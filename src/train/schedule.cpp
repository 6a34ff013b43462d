#include "train/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numbers>

#include "lockstep/error.hpp"
#include "train/read_number.hpp"

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

/// (1 + cos πx) / 2 = cos²(πx / 2): from 1 to 0 while x goes from 0 to 1.
double falling(double x) {
  const double half = cosine(std::numbers::pi / 2 * x);
  return half * half;
}

double one_cycle(double base, std::uint64_t step, std::uint64_t total) {
  const double low = base / 25, end = low / 1e4;
  const double at = static_cast<double>(step), last = static_cast<double>(total) - 1;
  const double peak = 0.3 * static_cast<double>(total) - 1;
  if (at <= peak) {
    return base + (low - base) * falling(at / peak);
  }
  const double from = std::max(peak, 0.0);
  return last > from ? end + (base - end) * falling(std::min(1.0, (at - from) / (last - from))) : base;
}

double stepped(const Schedule& schedule, double base, std::uint64_t step, std::uint64_t epoch) {
  for (std::uint64_t times = step / epoch / schedule.every; times > 0; --times) {
    base *= schedule.factor;
  }
  return base;
}

}  // namespace

Schedule schedule_from(const std::string& text, std::uint64_t warmup) {
  using Kind = Schedule::Kind;
  if (text == "constant" || text == "cosine") {
    return {.kind = text == "cosine" ? Kind::cosine : Kind::constant, .warmup = warmup};
  }
  if (text == "one-cycle") {
    if (warmup > 0) {
      throw UsageError("--schedule one-cycle has a warm-up of its own: leave --warmup out");
    }
    return {.kind = Kind::one_cycle};
  }
  constexpr std::string_view kStep = "step:";
  const std::string_view numbers = text.starts_with(kStep) ? std::string_view(text).substr(kStep.size()) : "";
  const std::size_t colon = std::min(numbers.find(':'), numbers.size());
  const auto every = read_number<std::uint64_t>(numbers.substr(0, colon));
  const auto factor = read_number<double>(numbers.substr(std::min(colon + 1, numbers.size())));
  if (!every || !factor || *every == 0 || !(*factor > 0 && *factor <= 1)) {
    throw UsageError(
        fmt::format("--schedule {}: there are constant, step:EPOCHS:FACTOR (such as step:30:0.1, times 0.1 after each 30 epochs), "
                    "cosine and one-cycle",
                    text));
  }
  return {.kind = Kind::step, .every = *every, .factor = *factor, .warmup = warmup};
}

std::string Schedule::text() const {
  switch (kind) {
    case Kind::constant:
      return "constant";
    case Kind::step:
      return fmt::format("step:{}:{}", every, factor);
    case Kind::cosine:
      return "cosine";
    case Kind::one_cycle:
      return "one-cycle";
  }
  return "";
}

double learning_rate(const Schedule& schedule, double base, std::uint64_t step, RunLength length) {
  if (step < schedule.warmup) {
    return base * (static_cast<double>(step + 1) / static_cast<double>(schedule.warmup));
  }
  switch (schedule.kind) {
    case Schedule::Kind::constant:
      return base;
    case Schedule::Kind::step:
      return stepped(schedule, base, step, length.epoch);
    case Schedule::Kind::cosine:
      return step < length.total
                 ? base * falling(static_cast<double>(step - schedule.warmup) / static_cast<double>(length.total - schedule.warmup))
                 : 0;
    case Schedule::Kind::one_cycle:
      return one_cycle(base, step, length.total);
  }
  return base;
}

}  // namespace lockstep
