#pragma once

#include <cstdint>
#include <string_view>

namespace lockstep {

/// How the learning rate goes over a run.
enum class Schedule : std::uint8_t {
  constant,
  cosine,  ///< base · (1 + cos(π · step / total)) / 2: from base to 0. Loshchilov and Hutter 2016, arXiv 1608.03983
};

/// Throws UsageError naming the schedules there are.
[[nodiscard]] Schedule schedule_from(std::string_view name);
[[nodiscard]] std::string_view name_of(Schedule schedule);

/// The learning rate of step `step` (the first is 0) of a run of `total` steps; the same bits on every machine. From `total` on, cosine
/// gives 0.
[[nodiscard]] double learning_rate(Schedule schedule, double base, std::uint64_t step, std::uint64_t total);

}  // namespace lockstep
