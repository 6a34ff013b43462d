#pragma once

#include <span>
#include <string>
#include <string_view>

namespace lockstep::cli {

/// Letters to add, drop, change, or swap with their neighbour to make one word the other ("optimal string alignment").
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b);

/// "; did you mean PREFIXword?" with the word of `known` nearest to `given`, or nothing where more than a third of the letters would be
/// wrong.
[[nodiscard]] std::string did_you_mean(std::string_view given, std::span<const std::string> known, std::string_view prefix = "");

}  // namespace lockstep::cli
