#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace lockstep {

/// The counter-based generator Philox4x32-10: four random words for a counter under a key, with no state in between.
/// Salmon, Moraes, Dror, Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3".
using PhiloxCounter = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

[[nodiscard]] constexpr PhiloxCounter philox(PhiloxCounter c, PhiloxKey k) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * c[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57U} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
    k[0] += 0x9E3779B9U;
    k[1] += 0xBB67AE85U;
  }
  return c;
}

/// The key for one use of randomness: FNV-1a over the purpose and the name, mixed with the seed (splitmix64's finaliser).
[[nodiscard]] constexpr PhiloxKey philox_key(std::uint64_t seed, std::string_view purpose, std::string_view name) {
  std::uint64_t h = 0xCBF29CE484222325U;
  for (const std::string_view text : {purpose, std::string_view("/"), name}) {
    for (const char ch : text) {
      h = (h ^ static_cast<unsigned char>(ch)) * 0x100000001B3U;
    }
  }
  h += seed * 0x9E3779B97F4A7C15U;
  h = (h ^ (h >> 30)) * 0xBF58476D1CE4E5B9U;
  h = (h ^ (h >> 27)) * 0x94D049BB133111EBU;
  h ^= h >> 31;
  return {static_cast<std::uint32_t>(h), static_cast<std::uint32_t>(h >> 32)};
}

/// Uniform in [0, 1) with 24 random bits: exact in float, the same everywhere.
[[nodiscard]] constexpr float unit_float(std::uint32_t word) { return static_cast<float>(word >> 8) * 0x1p-24F; }
[[nodiscard]] constexpr double unit_double(std::uint32_t high, std::uint32_t low) {
  return static_cast<double>(((std::uint64_t{high} << 32) | low) >> 11) * 0x1p-53;
}

}  // namespace lockstep
