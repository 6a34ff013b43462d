#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep {

/// Base64 (RFC 4648, with padding); OpenSSL's.
[[nodiscard]] std::string base64(std::span<const std::byte> bytes);
/// The bytes again; empty if `text` is not Base64.
[[nodiscard]] std::vector<std::byte> from_base64(std::string_view text);

}  // namespace lockstep
