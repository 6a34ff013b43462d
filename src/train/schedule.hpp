#pragma once

#include <cstdint>
#include <string>

namespace lockstep {

/// How long a run is, in steps.
struct RunLength {
  std::uint64_t total = 0;
  std::uint64_t epoch = 1;  ///< steps of an epoch
};

/// How the learning rate goes over a run. First it rises over `warmup` steps, from base/warmup to base, in equal parts; then
///   constant   base
///   step       base · factorⁿ after n times `every` epochs of the run
///   cosine     base · (1 + cos(π·x)) / 2, x the part of the steps after the warm-up that is done. Loshchilov, Hutter 2016, arXiv
///   1608.03983 one_cycle  from base/25 up to base over 0.3 of the steps and down to base/250000, each along half a cosine; as PyTorch's.
///   Smith, Topin
///              2017, arXiv 1708.07120
struct Schedule {
  enum class Kind : std::uint8_t { constant, step, cosine, one_cycle } kind = Kind::constant;
  std::uint64_t every = 1;
  double factor = 1;
  std::uint64_t warmup = 0;

  /// In the form that schedule_from reads; without the warm-up.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] bool depends_on_length() const { return kind == Kind::cosine || kind == Kind::one_cycle; }
};

/// "constant", "step:30:0.1" (times 0.1 after each 30 epochs), "cosine" or "one-cycle". Throws UsageError naming them.
[[nodiscard]] Schedule schedule_from(const std::string& text, std::uint64_t warmup = 0);

/// The learning rate of step `step` (the first is 0); the same bits on every machine. From the end on, cosine gives 0.
[[nodiscard]] double learning_rate(const Schedule& schedule, double base, std::uint64_t step, RunLength length);

}  // namespace lockstep
