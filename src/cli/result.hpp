#pragma once

#include <fmt/format.h>

#include <iostream>
#include <string>

#include "train/step_engine.hpp"

namespace lockstep::cli {

/// "test accuracy   0.9123 (10000 samples, loss 0.2412)"
inline void print_accuracy(const std::string& part, const StepSums& sums) {
  const auto samples = static_cast<double>(sums.samples);
  std::cout << fmt::format("{:15} {:.4f} ({} samples, loss {:.4f})\n", part + " accuracy", sums.correct / samples, sums.samples,
                           sums.loss / samples);
}

}  // namespace lockstep::cli
