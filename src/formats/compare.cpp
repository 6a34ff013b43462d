#include "formats/compare.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <map>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::size_t kHashDigits = 12;
constexpr std::size_t kNamed = 4;  ///< tensors at most

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

std::string measure_of(std::span<const RunFiles> runs) {
  std::vector<std::string> wanted = figures_of(runs);
  wanted.emplace_back("validation_loss");
  for (const std::string& key : wanted) {
    if (std::ranges::all_of(runs,
                            [&](const RunFiles& run) { return run.epochs.empty() || std::isfinite(number_at(run.epochs[0], key)); })) {
      return key;
    }
  }
  return "train_loss";
}

std::vector<std::vector<std::string>> compare(std::span<const RunFiles> runs) {
  const std::string measure = measure_of(runs);
  const std::vector<std::string> names = differing_settings(runs);
  struct Row {
    const RunFiles* run;
    const Json* best;
  };
  std::vector<Row> order;
  for (const RunFiles& run : runs) {
    order.push_back({&run, best_epoch(run, measure)});
  }
  std::ranges::stable_sort(order, [&](const Row& a, const Row& b) {
    if (a.best == nullptr || b.best == nullptr) {
      return a.best != nullptr && b.best == nullptr;
    }
    const double x = number_at(*a.best, measure), y = number_at(*b.best, measure);
    return less_is_better(measure) ? x < y : x > y;
  });
  std::vector<std::vector<std::string>> table(1);
  table[0].emplace_back("run");
  table[0].insert(table[0].end(), names.begin(), names.end());
  table[0].push_back("best " + measure);
  for (const char* name : {"best epoch", "epochs", "steps done", "parameter hash", "samples/s"}) {
    table[0].emplace_back(name);
  }
  for (const auto& [run, best] : order) {
    std::vector<std::string>& row = table.emplace_back();
    row.push_back(run->name);
    for (const std::string& name : names) {
      const std::string value = run->setting(name);
      row.push_back(value.empty() ? "-" : value);
    }
    row.push_back(best == nullptr ? "-" : fmt::format("{:.6g}", number_at(*best, measure)));
    row.push_back(best == nullptr ? "-" : fmt::format("{}", number_at(*best, "epoch")));
    row.push_back(fmt::format("{}", run->epochs.size()));
    row.push_back(steps_of(*run) > 0 ? fmt::format("{}", steps_of(*run)) : "-");
    const std::string hash = hash_of(*run);
    row.push_back(hash.empty() ? "-" : hash.substr(0, kHashDigits));
    const double speed = samples_per_second(*run);
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
