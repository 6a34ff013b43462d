#include "formats/csv_cell.hpp"

namespace lockstep {

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) {
    return text;
  }
  std::string cell = "\"";
  for (const char c : text) {
    cell += c == '"' ? "\"\"" : std::string(1, c);
  }
  return cell + '"';
}

std::string csv_line(const std::vector<std::string>& cells) {
  std::string line;
  for (const std::string& cell : cells) {
    line += (&cell == cells.data() ? "" : ",") + csv_cell(cell);
  }
  return line;
}

bool split_csv_line(std::string_view line, char delimiter, std::vector<std::string>& cells) {
  cells.assign(1, "");
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      cells.back() += line[++i];
    } else if (line[i] == '"') {
      quoted = !quoted;
    } else if (line[i] == delimiter && !quoted) {
      if (delimiter != ' ' || !cells.back().empty()) {
        cells.emplace_back();
      }
    } else {
      cells.back() += line[i];
    }
  }
  if (delimiter == ' ' && cells.back().empty() && cells.size() > 1) {
    cells.pop_back();
  }
  return !quoted;
}

}  // namespace lockstep
