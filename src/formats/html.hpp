#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

/// Pieces of a page.
namespace lockstep {

/// Text from a file, as it may stand between tags and in quoted attributes.
[[nodiscard]] std::string escape(std::string_view text);

/// For people: four digits, "1,234,567", "0.08423", "1.2e-05"; "–" for what is not finite.
[[nodiscard]] std::string number(double value);
/// "91.64 %"
[[nodiscard]] std::string percent(double share);
/// "850 ms", "16.6 s", "3 min 20 s", "2 h 05 min"
[[nodiscard]] std::string duration(double seconds);

/// A data: address of the PNG with these planes [channels, height, width] of bytes, 1 (grey) or 3 (RGB) channels. Requires
/// planes.size() = channels · height · width.
[[nodiscard]] std::string png(std::span<const std::byte> planes, std::size_t channels, std::size_t height, std::size_t width);

}  // namespace lockstep
