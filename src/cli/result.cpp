#include "cli/result.hpp"

#include <fmt/format.h>

#include <cmath>
#include <iostream>

#include "formats/data_names.hpp"

namespace lockstep::cli {

void print_result(const std::string& part, const StepSums& sums, std::span<const Figure> figures) {
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

std::vector<Figure> figures_of_targets(const Model& model, const StepSums& sums, const Dataset& dataset) {
  constexpr std::size_t kMostTargets = 16;
  const Metrics metrics(model);
  const std::size_t targets = metrics.task() == Metrics::Task::numbers ? sums.metrics.size() / 4 : 0;
  if (targets < 2 || targets > kMostTargets) {
    return {};
  }
  const std::vector<double> scales = dataset.statistics(metrics.labels()).std;
  const std::vector<std::string> names = names_of(dataset).columns[metrics.labels()];
  const auto samples = static_cast<double>(sums.samples);
  std::vector<Figure> figures;
  for (std::size_t k = 0; k < targets; ++k) {
    const std::string name = names.size() == targets ? names[k] : fmt::format("{}", k);
    const double scale = scales.empty() ? 1 : scales[scales.size() == targets ? k : 0];
    const std::span<const double> sum = std::span(sums.metrics).subspan(4 * k, 4);
    figures.push_back({"mae:" + name, scale * sum[0] / samples});
    figures.push_back({"rmse:" + name, scale * std::sqrt(sum[1] / samples)});
    figures.push_back({"r2:" + name, 1 - sum[1] / (sum[3] - sum[2] * sum[2] / samples)});
  }
  return figures;
}

}  // namespace lockstep::cli
