#include "cli/nearest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace lockstep::cli {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Rows of the table of distances between the first i letters of a and the first j of b: two before, the last, this one.
  std::vector<std::size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) {
    last[j] = j;
  }
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({change, last[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::string did_you_mean(std::string_view given, std::span<const std::string> known, std::string_view prefix) {
  const auto distance = [&](const std::string& word) { return edit_distance(given, word); };
  const auto best = std::ranges::min_element(known, {}, distance);
  if (best == known.end() || 3 * distance(*best) > std::max(given.size(), best->size())) {
    return "";
  }
  return fmt::format("; did you mean {}{}?", prefix, *best);
}

}  // namespace lockstep::cli
