#include "formats/compare.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <fstream>
#include <set>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::array<std::string_view, 3> kErrors{"mae", "rmse", "loss"};  ///< of which less is better
constexpr std::string_view kTraining = "train_loss", kValidation = "validation_loss", kFigures = "validation_";
constexpr std::size_t kHashDigits = 12;
constexpr std::size_t kNamed = 4;  ///< tensors at most

std::ifstream open(const fs::path& run, const char* name) {
  std::ifstream stream(run / name);
  if (!stream) {
    throw UsageError(fmt::format("{} holds no {}: it is no run folder, or its run never started.", run.string(), name));
  }
  return stream;
}

std::map<std::string, std::string> settings_of(const fs::path& run) {
  std::map<std::string, std::string> settings;
  std::ifstream stream = open(run, "config.ini");
  for (std::string line; std::getline(stream, line);) {
    const std::size_t equals = line.find(" = ");
    if (line.starts_with('#') || equals == std::string::npos) {
      continue;
    }
    std::string& value = settings[line.substr(0, equals)];
    value += (value.empty() ? "" : " ") + line.substr(equals + 3);
  }
  settings.erase("run");
  return settings;
}

/// Samples a second over all epochs whose times are known.
double speed_of(const RunFacts& run) {
  double samples = 0, seconds = 0;
  for (const EpochRow& row : run.history) {
    if (std::isfinite(row.seconds) && std::isfinite(row.samples_per_second)) {
      samples += row.seconds * row.samples_per_second;
      seconds += row.seconds;
    }
  }
  return samples / seconds;
}

std::set<std::string> settings_that_differ(std::span<const RunFacts> runs) {
  std::set<std::string> names;
  for (const RunFacts& run : runs) {
    for (const auto& [name, value] : run.settings) {
      const auto same = [&, &key = name, &mine = value](const RunFacts& other) {
        const auto found = other.settings.find(key);
        return found != other.settings.end() && found->second == mine;
      };
      if (!std::ranges::all_of(runs, same)) {
        names.insert(name);
      }
    }
  }
  return names;
}

/// The hashes of each step.
std::map<std::uint64_t, std::map<std::string, std::string>> hashes_of(std::ifstream& stream) {
  std::map<std::uint64_t, std::map<std::string, std::string>> steps;
  for (std::string line; std::getline(stream, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_discarded()) {
      break;  // the end of a run that was killed
    }
    steps[json.at("step").get<std::uint64_t>()] = json.at("tensors").get<std::map<std::string, std::string>>();
  }
  return steps;
}

}  // namespace

RunFacts read_run(const fs::path& run) {
  RunFacts facts{run, settings_of(run), {}};
  std::ifstream stream = open(run, "metrics.jsonl");
  for (std::string line; std::getline(stream, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (json.is_discarded()) {
      break;
    }
    facts.history.push_back(EpochRow::from_json(json));
  }
  return facts;
}

std::optional<double> Measure::of(const EpochRow& row) const {
  if (name == kTraining) {
    return row.train_loss;
  }
  if (name == kValidation) {
    return row.validation_loss;
  }
  const auto figure = std::ranges::find(row.figures, name.substr(kFigures.size()), &Figure::name);
  return figure == row.figures.end() ? std::nullopt : std::optional(figure->value);
}

const EpochRow* Measure::best(const RunFacts& run) const {
  const EpochRow* best = nullptr;
  for (const EpochRow& row : run.history) {
    const std::optional<double> value = of(row);
    if (value && std::isfinite(*value) && (best == nullptr || (more ? *value > *of(*best) : *value < *of(*best)))) {
      best = &row;
    }
  }
  return best;
}

Measure measure_for(std::span<const RunFacts> runs) {
  std::vector<Measure> wanted;
  for (const RunFacts& run : runs) {
    for (const EpochRow& row : run.history) {
      for (const Figure& figure : row.figures) {
        const bool error = std::ranges::find(kErrors, figure.name) != kErrors.end();
        wanted.push_back({std::string(kFigures) + figure.name, !error});
      }
      break;
    }
  }
  wanted.push_back({std::string(kValidation), false});
  for (const Measure& measure : wanted) {
    const auto has = [&](const RunFacts& run) { return run.history.empty() || measure.of(run.history[0]).has_value(); };
    if (std::ranges::all_of(runs, has)) {
      return measure;
    }
  }
  return {std::string(kTraining), false};
}

std::vector<std::vector<std::string>> compare(std::span<const RunFacts> runs) {
  const Measure measure = measure_for(runs);
  const std::set<std::string> names = settings_that_differ(runs);
  std::vector<const RunFacts*> order;
  for (const RunFacts& run : runs) {
    order.push_back(&run);
  }
  std::ranges::stable_sort(order, [&](const RunFacts* a, const RunFacts* b) {
    const EpochRow *x = measure.best(*a), *y = measure.best(*b);
    if (x == nullptr || y == nullptr) {
      return x != nullptr && y == nullptr;
    }
    return measure.more ? *measure.of(*x) > *measure.of(*y) : *measure.of(*x) < *measure.of(*y);
  });
  std::vector<std::vector<std::string>> table(1);
  table[0].emplace_back("run");
  table[0].insert(table[0].end(), names.begin(), names.end());
  for (const char* name : {"best epoch", "epochs", "steps", "parameter hash", "samples/s"}) {
    table[0].emplace_back(name);
  }
  table[0].insert(table[0].end() - 5, "best " + measure.name);
  for (const RunFacts* run : order) {
    std::vector<std::string>& row = table.emplace_back();
    row.push_back(run->run.string());
    for (const std::string& name : names) {
      const auto found = run->settings.find(name);
      row.push_back(found == run->settings.end() || found->second.empty() ? "-" : found->second);
    }
    const EpochRow* const best = measure.best(*run);
    row.push_back(best == nullptr ? "-" : fmt::format("{:.6g}", *measure.of(*best)));
    row.push_back(best == nullptr ? "-" : fmt::format("{}", best->epoch));
    row.push_back(fmt::format("{}", run->history.size()));
    row.push_back(run->history.empty() ? "-" : fmt::format("{}", run->history.back().step));
    row.push_back(run->history.empty() ? "-" : run->history.back().parameter_hash.substr(0, kHashDigits));
    const double speed = speed_of(*run);
    row.push_back(std::isfinite(speed) ? fmt::format("{:.0f}", speed) : "-");
  }
  return table;
}

std::optional<std::string> first_difference(const fs::path& a, const fs::path& b) {
  std::ifstream of_a(a / "hashes.jsonl"), of_b(b / "hashes.jsonl");
  if (!of_a || !of_b) {
    return std::nullopt;
  }
  const auto hashes = hashes_of(of_a), others = hashes_of(of_b);
  const std::string both = fmt::format("{} and {}: ", a.string(), b.string());
  std::uint64_t last = 0;
  for (const auto& [step, tensors] : hashes) {
    const auto found = others.find(step);
    if (found == others.end()) {
      continue;
    }
    std::vector<std::string> different;
    for (const auto& [name, hash] : tensors) {
      const auto other = found->second.find(name);
      if (other == found->second.end() || other->second != hash) {
        different.push_back(name);
      }
    }
    if (!different.empty() || tensors.size() != found->second.size()) {
      const std::size_t count = different.size();
      different.resize(std::min(count, kNamed));
      return both + fmt::format("the first difference is in step {}{}: {} of {} tensors, {}{}", step,
                                last > 0 ? fmt::format(" (the same bits through step {})", last) : "", count, tensors.size(),
                                fmt::join(different, ", "), count > kNamed ? ", ..." : "");
    }
    last = step;
  }
  return both + (last > 0 ? fmt::format("the same bits through step {}", last) : "no step in both of their hashes.jsonl");
}

}  // namespace lockstep
