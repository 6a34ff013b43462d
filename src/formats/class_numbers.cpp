#include "formats/class_numbers.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "formats/csv_cell.hpp"
#include "lockstep/error.hpp"
#include "train/read_number.hpp"

namespace lockstep {
namespace {

template <class Texts>
bool are_numbers(const Texts& texts) {
  return std::ranges::all_of(texts, [](const std::string& text) { return number_in(text).has_value(); });
}

/// The labels first, first + 1, … in their places, those too that the data lack. None if there are others.
std::optional<std::vector<std::string>> counted_from(int first, const std::set<std::string>& labels, std::size_t count) {
  std::vector<std::string> places;
  for (std::size_t i = 0; i < count; ++i) {
    places.push_back(fmt::format("{}", static_cast<std::size_t>(first) + i));
  }
  std::set<double> seen;
  for (const std::string& label : labels) {
    const double place = *number_in(label) - first;
    const bool counts = place >= 0 && place < static_cast<double>(count) && place == std::floor(place);
    if (!counts || !seen.insert(place).second) {
      return std::nullopt;
    }
    places[static_cast<std::size_t>(place)] = label;
  }
  const double telling = first == 0 ? 0.0 : static_cast<double>(count) - 1;  // the label that the other way of counting does not have
  return seen.contains(telling) ? std::optional(places) : std::nullopt;
}

}  // namespace

std::optional<double> number_in(std::string_view text) {
  text.remove_prefix(text.starts_with('+') ? 1 : 0);
  return read_number<double>(text);
}

std::vector<std::string> in_order(const std::set<std::string>& values) {
  std::vector<std::string> ordered(values.begin(), values.end());
  if (are_numbers(ordered)) {
    std::ranges::stable_sort(ordered, {}, [](const std::string& v) { return *number_in(v); });
  }
  return ordered;
}

ClassNumbers number_classes(const std::set<std::string>& labels, const std::vector<std::string>& names, const std::string& where) {
  const auto named = [&](const std::string& label) { return std::ranges::find(names, label) != names.end(); };
  if (names.empty()) {
    return {in_order(labels), in_order(labels)};
  }
  if (!are_numbers(labels) || are_numbers(names) || std::ranges::all_of(labels, named)) {
    return {names, names};
  }
  for (const int first : {0, 1}) {
    if (auto counted = counted_from(first, labels, names.size())) {
      return {*std::move(counted), names};
    }
  }
  if (labels.size() == names.size()) {
    return {in_order(labels), names};
  }
  throw DataError(
      fmt::format("{}: it cannot be told which of the {} classes {} is whose name: the labels are {}.\n"
                  "  Give the labels themselves, such as --classes {}, or write the names into the data.",
                  where, names.size(), csv_line(names), fmt::join(in_order(labels), ", "), csv_line(in_order(labels))));
}

}  // namespace lockstep
