#pragma once

#include <string>

namespace lockstep {

/// A cell of a CSV file: in quotes where a comma, a quote or the end of a line is in it (RFC 4180).
[[nodiscard]] inline std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) {
    return text;
  }
  std::string cell = "\"";
  for (const char c : text) {
    cell += c == '"' ? "\"\"" : std::string(1, c);
  }
  return cell + '"';
}

}  // namespace lockstep
