#include "formats/run_files.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <limits>
#include <sstream>

#include "formats/csv_cell.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using Json = RunFiles::Json;

/// Empty if there is no such file.
std::string text_of(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return std::move(text).str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line.ends_with('\r') ? line.substr(0, line.size() - 1) : line);
  }
  return lines;
}

std::vector<Json> read_json_lines(const fs::path& path) {
  const std::string text = text_of(path);
  const std::vector<std::string> lines = lines_of(text);
  std::vector<Json> rows;
  for (const std::string& line : lines) {
    Json row = Json::parse(line, nullptr, false);
    if (row.is_object()) {
      rows.push_back(std::move(row));
    } else if (rows.size() + 1 < lines.size() || text.ends_with('\n')) {  // else it is still being written
      throw DataError(fmt::format("{}, line {}: this is no JSON object. Is it a file of lockstep train?", path.string(), rows.size() + 1));
    }
  }
  return rows;
}

std::string trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  return begin == std::string_view::npos ? "" : std::string(text.substr(begin, text.find_last_not_of(" \t") - begin + 1));
}

void read_settings(const fs::path& path, RunFiles& run) {
  for (const std::string& line : lines_of(text_of(path))) {
    const std::size_t equals = line.find('=');
    if (line.starts_with('#') || equals == std::string::npos) {
      continue;
    }
    const std::string name = trimmed(std::string_view(line).substr(0, equals));
    const std::string value = trimmed(std::string_view(line).substr(equals + 1));
    const auto known = std::ranges::find(run.settings, name, &std::pair<std::string, std::string>::first);
    if (known == run.settings.end()) {
      run.settings.emplace_back(name, value);
    } else {
      known->second += ", " + value;
    }
  }
}

/// A name, then a count for each class. Names may hold commas, and once stood there without quotes: counts are taken from the end of the
/// line.
void read_confusion(const fs::path& path, RunFiles& run) {
  std::vector<std::string> lines = lines_of(text_of(path));
  if (lines.empty()) {
    return;
  }
  const std::size_t classes = lines.size() - 1;
  run.confusion.resize(classes * classes);
  for (std::size_t c = 0; c < classes; ++c) {
    std::string& line = lines[c + 1];
    for (std::size_t said = classes; said-- > 0;) {
      const std::size_t comma = line.rfind(',');
      double& count = run.confusion[c * classes + said];
      const char* const end = line.data() + line.size();
      if (comma == std::string::npos || std::from_chars(line.data() + comma + 1, end, count).ptr != end || comma + 1 == line.size()) {
        throw DataError(
            fmt::format("{}, line {}: there should be a name and {} counts, one for each class", path.string(), c + 2, classes));
      }
      line.resize(comma);
    }
    std::vector<std::string> name;
    const bool quoted = line.starts_with('"') && split_csv_line(line, ',', name) && name.size() == 1;
    run.classes.push_back(quoted ? name[0] : line);
  }
}

}  // namespace

std::string RunFiles::setting(std::string_view of) const {
  const auto found = std::ranges::find(settings, of, &std::pair<std::string, std::string>::first);
  return found == settings.end() ? "" : found->second;
}

RunFiles read_run(const fs::path& folder) {
  if (!fs::is_regular_file(folder / "metrics.jsonl")) {
    throw UsageError(fmt::format(
        "{} holds no metrics.jsonl, so it is no run folder.\n  Give the folder that was the --run of lockstep train.", folder.string()));
  }
  RunFiles run;
  const fs::path whole = fs::weakly_canonical(folder);
  run.name = whole.filename().string();
  run.epochs = read_json_lines(folder / "metrics.jsonl");
  run.steps = read_json_lines(folder / "steps.jsonl");
  read_settings(folder / "config.ini", run);
  read_confusion(folder / "confusion.csv", run);
  if (const std::string text = text_of(folder / "samples.json"); !text.empty()) {
    run.samples = Json::parse(text, nullptr, false);
    if (!run.samples.is_object()) {
      throw DataError(fmt::format("{} is no JSON object. Remove it, or start lockstep train again to write it anew.",
                                  (folder / "samples.json").string()));
    }
  }
  if (const Json result = Json::parse(text_of(folder / "result.json"), nullptr, false); result.is_object()) {
    run.result = result;
  }
  return run;
}

double number_at(const Json& line, std::string_view key) {
  const auto found = line.find(std::string(key));
  return found != line.end() && found->is_number() ? found->get<double>() : std::numeric_limits<double>::quiet_NaN();
}

std::vector<double> column(const std::vector<Json>& lines, std::string_view key) {
  std::vector<double> numbers;
  for (const Json& line : lines) {
    numbers.push_back(number_at(line, key));
  }
  return numbers;
}

}  // namespace lockstep
