#include "formats/run_results.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <limits>
#include <numeric>

#include "formats/html.hpp"

namespace lockstep {
namespace {

using Json = RunFiles::Json;
constexpr std::string_view kValidation = "validation_";

}  // namespace

std::vector<std::string> figures_of(std::span<const RunFiles> runs) {
  std::vector<std::string> names;
  for (const RunFiles& run : runs) {
    for (const Json& line : run.epochs) {
      for (const auto& [key, value] : line.items()) {
        const bool figure = key.starts_with(kValidation) && key != "validation_loss";
        if (figure && std::ranges::find(names, key) == names.end()) {
          names.push_back(key);
        }
      }
    }
  }
  return names;
}

std::string title_of(std::string key) {
  if (key.starts_with(kValidation)) {
    key = key.substr(kValidation.size());
  }
  std::ranges::replace(key, '_', ' ');
  const bool initials = key == "mae" || key == "rmse" || key == "f1" || key == "r2";
  if (initials) {
    std::ranges::transform(key, key.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  }
  return key;
}
bool is_share(const std::string& key) {
  return key.ends_with("accuracy") || key.ends_with("precision") || key.ends_with("recall") || key.ends_with("_f1");
}
bool less_is_better(const std::string& key) { return key.ends_with("loss") || key.ends_with("mae") || key.ends_with("rmse"); }
std::string value_of(const std::string& key, double value) { return is_share(key) ? percent(value) : number(value); }

const Json* best_epoch(const RunFiles& run, const std::string& measure) {
  const Json* best = nullptr;
  for (const Json& line : run.epochs) {
    const double value = number_at(line, measure);
    const double best_value = best == nullptr ? value : number_at(*best, measure);
    if (std::isfinite(value) && (best == nullptr || (less_is_better(measure) ? value < best_value : value > best_value))) {
      best = &line;
    }
  }
  return best;
}

const Json* best_epoch(const RunFiles& run) {
  const Json* const best = best_epoch(run, "validation_loss");
  return best != nullptr ? best : best_epoch(run, "train_loss");
}

const Json* model_epoch(const RunFiles& run) {
  const std::string patience = run.setting("patience");
  return !patience.empty() && patience != "0" ? best_epoch(run) : run.epochs.empty() ? nullptr : &run.epochs.back();
}

std::string hash_of(const RunFiles& run) {
  if (run.result.is_object() && run.result.contains("parameter_hash")) {
    return run.result["parameter_hash"].get<std::string>();
  }
  const Json* const epoch = model_epoch(run);
  return epoch != nullptr && epoch->contains("parameter_hash") && epoch->at("parameter_hash").is_string()
             ? epoch->at("parameter_hash").get<std::string>()
             : "";
}

double sum_of(const std::vector<double>& numbers) {
  return std::accumulate(numbers.begin(), numbers.end(), 0.0, [](double sum, double x) { return std::isfinite(x) ? sum + x : sum; });
}

double samples_per_second(const RunFiles& run) {
  double samples = sum_of(column(run.steps, "samples")), seconds = sum_of(column(run.steps, "seconds"));
  if (run.steps.empty()) {
    for (const Json& line : run.epochs) {
      const double of = number_at(line, "seconds"), rate = number_at(line, "samples_per_second");
      if (std::isfinite(of * rate)) {
        samples += of * rate;
        seconds += of;
      }
    }
  }
  return seconds > 0 ? samples / seconds : std::numeric_limits<double>::quiet_NaN();
}

double steps_of(const RunFiles& run) {
  const double by_epochs = run.epochs.empty() ? 0 : number_at(run.epochs.back(), "step");
  const double by_steps = run.steps.empty() ? 0 : number_at(run.steps.back(), "step");
  return std::fmax(std::fmax(by_epochs, by_steps), number_at(run.result, "step"));
}

std::vector<std::string> differing_settings(std::span<const RunFiles> runs) {
  std::vector<std::string> names;
  for (const RunFiles& run : runs) {
    for (const auto& [name, value] : run.settings) {
      const bool differs = std::ranges::any_of(runs, [&, &n = name, &v = value](const RunFiles& other) { return other.setting(n) != v; });
      if (name != "run" && differs && std::ranges::find(names, name) == names.end()) {
        names.push_back(name);
      }
    }
  }
  return names;
}

}  // namespace lockstep
