#include "cli/trained.hpp"

#include <fmt/format.h>

#include <iostream>

#include "lockstep/error.hpp"

namespace lockstep::cli {

Checkpoint load_trained(const std::filesystem::path& run, const char* command) {
  const CheckpointStore store(run, 1);
  const auto last = store.load_latest([&](const std::string& damage) { std::cerr << fmt::format("lockstep {}: {}\n", command, damage); });
  if (!last) {
    throw CheckpointError(fmt::format("{} holds no checkpoint", run.string()));
  }
  if (last->settings.value("patience", 0) > 0) {
    if (const auto best = store.load_best()) {
      return *best;
    }
  }
  return *last;
}

}  // namespace lockstep::cli
