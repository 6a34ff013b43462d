#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lockstep {

/// Classes as their numbers count them.
struct ClassNumbers {
  std::vector<std::string> labels;  ///< as they stand in the data
  std::vector<std::string> names;
};

/// Numbers the labels that there are: in the order of numbers if all are numbers, else of letters.
///
/// `names` give the numbering where they name the labels: a label's number is its place among them, and what is not among them is no class
/// (whoever meets it refuses it). Where the labels are numbers and the names are not, the names go by number: label 0 or, where the
/// greatest label is as many as there are names, 1 has the first name; other numbers must be as many as the names and have them in order.
/// Throws DataError, which begins with `where`, if it cannot be told which name is whose.
[[nodiscard]] ClassNumbers number_classes(const std::set<std::string>& labels, const std::vector<std::string>& names,
                                          const std::string& where);

/// The number that a text is; a plus sign may stand before it.
[[nodiscard]] std::optional<double> number_in(std::string_view text);

/// In the order of numbers if all are numbers, else of letters.
[[nodiscard]] std::vector<std::string> in_order(const std::set<std::string>& values);

}  // namespace lockstep
