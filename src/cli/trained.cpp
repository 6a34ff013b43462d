#include "cli/trained.hpp"

#include <fmt/format.h>

#include <iostream>

#include "data/describe_data.hpp"
#include "lockstep/error.hpp"
#include "train/metrics.hpp"

namespace lockstep::cli {

Checkpoint load_trained(const std::filesystem::path& run, const char* command) {
  const CheckpointStore store(run, 1);
  auto trained = store.load_latest([&](const std::string& damage) { std::cerr << fmt::format("lockstep {}: {}\n", command, damage); });
  if (!trained) {
    throw CheckpointError(fmt::format("{} holds no checkpoint", run.string()));
  }
  if (trained->settings.value("patience", 0) > 0) {
    if (auto best = store.load_best()) {
      trained = std::move(best);
    }
  }
  trained->parameters = model_of(*trained);
  return *std::move(trained);
}

nlohmann::ordered_json description_of(const Checkpoint& checkpoint) {
  const nlohmann::ordered_json of_ours{{"fields", nlohmann::ordered_json::array()}};
  return checkpoint.settings.contains("data") ? checkpoint.settings.at("data") : of_ours;
}

Statistics units_of(const Model& model, const nlohmann::ordered_json& description, const std::string& output) {
  const Metrics metrics(model);
  const bool numbers = metrics.task() == Metrics::Task::numbers && output == metrics.output();
  return statistics_in(description)[numbers ? metrics.labels() : labels_of(model.program("evaluate"), output)];
}

}  // namespace lockstep::cli
