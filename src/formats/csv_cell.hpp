#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// A cell of a CSV file: in quotes where a comma, a quote or the end of a line is in it (RFC 4180).
[[nodiscard]] std::string csv_cell(const std::string& text);

/// Cells with commas between them: "a,\"b, c\"".
[[nodiscard]] std::string csv_line(const std::vector<std::string>& cells);

/// Splits a line into cells. A cell may stand in quotes, with "" for a quote, and then hold the delimiter; of blanks as delimiters several
/// are as one. False if a quote does not end.
bool split_csv_line(std::string_view line, char delimiter, std::vector<std::string>& cells);

}  // namespace lockstep
