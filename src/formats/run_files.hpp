#pragma once

#include <cstddef>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lockstep {

/// The files of a run folder as others may read them: of any version, and of a run that is still going on.
struct RunFiles {
  using Json = nlohmann::ordered_json;

  std::string name;                                           ///< the folder's
  std::vector<Json> epochs;                                   ///< lines of metrics.jsonl
  std::vector<Json> steps;                                    ///< lines of steps.jsonl
  std::vector<std::pair<std::string, std::string>> settings;  ///< of config.ini; values of a name that comes again are joined by ", "
  std::vector<std::string> classes;                           ///< of confusion.csv
  std::vector<double> confusion;                              ///< [classes, classes]: label, what the model says
  Json samples;                                               ///< samples.json, or null
  Json result;                                                ///< result.json of a run that has ended, or null

  /// The value of a setting; empty if there is none.
  [[nodiscard]] std::string setting(std::string_view name) const;
};

/// Reads a run folder. All files but metrics.jsonl may be missing, and a last line that is still being written is left out. Throws
/// UsageError for a folder without metrics.jsonl, DataError naming file and line for what is not as described in README.md.
[[nodiscard]] RunFiles read_run(const std::filesystem::path& folder);

/// A number of a line; NaN where it is missing, null or something else.
[[nodiscard]] double number_at(const RunFiles::Json& line, std::string_view key);
/// That of every line.
[[nodiscard]] std::vector<double> column(const std::vector<RunFiles::Json>& lines, std::string_view key);

}  // namespace lockstep
