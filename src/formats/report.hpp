#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "formats/run_files.hpp"

namespace lockstep {

/// A page (HTML) about one run: curves, where the time went, the confusion matrix, samples, settings; or about several: a table of them and
/// overlaid curves. It needs no other file and asks the network for nothing; all text from files is escaped. Requires a run at least.
[[nodiscard]] std::string report(std::span<const RunFiles> runs);

/// Reads the run folders and writes the page, whole or not at all. Throws what read_run throws, and CheckpointError if `file` cannot be
/// written.
void write_report(std::span<const std::filesystem::path> folders, const std::filesystem::path& file);

}  // namespace lockstep
