#include "formats/html.hpp"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "formats/base64.hpp"

namespace lockstep {
namespace {

/// "-1234567.5" → "-1,234,567.5"
std::string grouped(std::string digits) {
  const std::size_t point = std::min(digits.find('.'), digits.size());
  const std::size_t first = digits.starts_with('-') ? 1 : 0;
  for (std::size_t at = point; at > first + 3;) {
    at -= 3;
    digits.insert(at, ",");
  }
  return digits;
}

void append_u32(std::string& bytes, std::uint64_t number) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    bytes += static_cast<char>(number >> shift & 0xff);
  }
}

void append_chunk(std::string& file, const std::string& kind_and_data) {
  append_u32(file, kind_and_data.size() - 4);
  file += kind_and_data;
  append_u32(file, crc32(0, reinterpret_cast<const Bytef*>(kind_and_data.data()), static_cast<uInt>(kind_and_data.size())));
}

}  // namespace

std::string escape(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      case '\'':
        safe += "&#39;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

std::string number(double value) {
  if (!std::isfinite(value)) {
    return "–";
  }
  if (std::abs(value) >= 1e4 && std::abs(value) < 1e15) {
    return grouped(fmt::format("{:.0f}", value));
  }
  if (value == std::trunc(value)) {
    return grouped(fmt::format("{}", value));
  }
  return std::abs(value) >= 1000 ? grouped(fmt::format("{:.0f}", value)) : fmt::format("{:.4g}", value);
}

std::string percent(double share) { return std::isfinite(share) ? fmt::format("{:.2f} %", 100 * share) : "–"; }

std::string duration(double seconds) {
  if (!std::isfinite(seconds)) {
    return "–";
  }
  if (seconds < 1) {
    return fmt::format("{:.0f} ms", seconds * 1000);
  }
  if (seconds < 99.95) {
    return fmt::format("{:.1f} s", seconds);
  }
  const auto whole = std::llround(seconds);
  return whole < 3600 ? fmt::format("{} min {:02} s", whole / 60, whole % 60)
                      : fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

/// RFC 2083: lines of pixels, each after a byte that says it is not filtered, deflated.
std::string png(std::span<const std::byte> planes, std::size_t channels, std::size_t height, std::size_t width) {
  std::string lines;
  for (std::size_t y = 0; y < height; ++y) {
    lines += '\0';
    for (std::size_t x = 0; x < width; ++x) {
      for (std::size_t c = 0; c < channels; ++c) {
        lines += static_cast<char>(planes[(c * height + y) * width + x]);
      }
    }
  }
  uLongf length = compressBound(lines.size());
  std::string data(length, '\0');
  compress(reinterpret_cast<Bytef*>(data.data()), &length, reinterpret_cast<const Bytef*>(lines.data()), lines.size());
  data.resize(length);
  std::string header = "IHDR";
  append_u32(header, width);
  append_u32(header, height);
  header += std::string{8, static_cast<char>(channels == 3 ? 2 : 0), 0, 0, 0};
  std::string file = "\x89PNG\r\n\x1a\n";
  append_chunk(file, header);
  append_chunk(file, "IDAT" + data);
  append_chunk(file, "IEND");
  return "data:image/png;base64," + base64(std::as_bytes(std::span(file)));
}

}  // namespace lockstep
