#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace lockstep {

/// SHA-256 (FIPS 180-4), fed in pieces of any length.
class Sha256 {
 public:
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text) { update(std::as_bytes(std::span(text))); }
  /// The digest of all bytes so far. The object must not be used after.
  [[nodiscard]] std::array<std::byte, 32> finish();
  /// The same as 64 lower-case hexadecimal digits.
  [[nodiscard]] std::string finish_hex();

 private:
  void block(const std::byte* bytes);

  std::array<std::uint32_t, 8> state_{0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};
  std::array<std::byte, 64> rest_{};
  std::uint64_t length_ = 0;  ///< bytes so far
};

/// 64 hexadecimal digits.
[[nodiscard]] std::string sha256_hex(std::span<const std::byte> bytes);

}  // namespace lockstep
