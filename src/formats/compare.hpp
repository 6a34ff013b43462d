#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "formats/run_results.hpp"

namespace lockstep {

/// What runs are measured by: the first of their validation's figures that all runs have, else the validation loss, else the training loss.
/// Runs that have not finished an epoch do not count.
[[nodiscard]] std::string measure_of(std::span<const RunFiles> runs);

/// The rows of a table, the first of them its head: a run a row, the best first; a column for each setting in which the runs differ.
[[nodiscard]] std::vector<std::vector<std::string>> compare(std::span<const RunFiles> runs);

/// From where on two runs' hashes.jsonl differ, as a sentence: "a and b: the same bits through step 120", or the first step and the tensors
/// that differ in it. None where one of them has no such file.
[[nodiscard]] std::optional<std::string> first_difference(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace lockstep
