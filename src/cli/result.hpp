#pragma once

#include <span>
#include <string>
#include <vector>

#include "data/dataset.hpp"
#include "train/metrics.hpp"

namespace lockstep::cli {

/// "test accuracy   0.9123 (10000 samples, loss 0.2412)", and a line for each further figure.
void print_result(const std::string& part, const StepSums& sums, std::span<const Figure> figures);

/// mae, rmse and r2 of each output of a regression by the names of the dataset's targets, in their units, such as "mae:price". `sums`: of
/// an evaluation on the dataset. Empty where there are one output, more than 16, or none that are numbers.
[[nodiscard]] std::vector<Figure> figures_of_targets(const Model& model, const StepSums& sums, const Dataset& dataset);

}  // namespace lockstep::cli
