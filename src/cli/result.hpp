#pragma once

#include <fmt/format.h>

#include <iostream>
#include <span>
#include <string>

#include "train/metrics.hpp"

namespace lockstep::cli {

/// "test accuracy   0.9123 (10000 samples, loss 0.2412)", and a line for each further figure.
inline void print_result(const std::string& part, const StepSums& sums, std::span<const Figure> figures) {
  const auto samples = static_cast<double>(sums.samples);
  std::string after = fmt::format(" ({} samples, loss {:.4f})", sums.samples, sums.loss / samples);
  for (const Figure& figure : figures) {
    std::cout << fmt::format("{:15} {:.4f}{}\n", part + " " + figure.name, figure.value, after);
    after.clear();
  }
  if (figures.empty()) {
    std::cout << fmt::format("{:15} {:.4f} ({} samples)\n", part + " loss", sums.loss / samples, sums.samples);
  }
}

}  // namespace lockstep::cli
