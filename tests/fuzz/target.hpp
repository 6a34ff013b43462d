#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/row_source.hpp"

/// Readers of files that may hold anything. A target takes any bytes and ends by itself: by returning, or by a lockstep::Error, which is
/// how a reader refuses. Every other exception, a crash, and an allocation or a time without measure are findings.
namespace lockstep::fuzz {

using Bytes = std::vector<std::uint8_t>;

struct Target {
  std::string_view name;
  void (*run)(std::span<const std::uint8_t> bytes);
  std::vector<Bytes> (*seeds)();  ///< inputs to start from, most of them files as they should be
};

[[nodiscard]] std::span<const Target> targets();
/// Null where there is none of that name.
[[nodiscard]] const Target* target_named(std::string_view name);
/// Runs the target. False, with `what` set, where it ends by an exception that is not ours to throw.
[[nodiscard]] bool survives(const Target& target, std::span<const std::uint8_t> bytes, std::string& what);

/// Choices made of the bytes of an input; zeros when they are used up, so that an empty input is the file as it should be.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

  std::uint8_t byte();
  /// 0 … count − 1.
  std::size_t below(std::size_t count) { return byte() % count; }
  /// Small as a rule, else near the border of a type: what a forged length would be.
  std::uint64_t number();
  /// What the next byte says, at most as many as are left behind it.
  std::size_t length();
  /// As many bytes as `length`.
  std::string text();
  [[nodiscard]] std::span<const std::uint8_t> rest() const { return bytes_; }

 private:
  std::span<const std::uint8_t> bytes_;
};

/// A folder of this process in $TMPDIR, removed at the end.
[[nodiscard]] const std::filesystem::path& scratch();
/// Writes NAME in it and says where that is.
std::filesystem::path scratch_file(std::string_view name, std::span<const std::uint8_t> bytes);

/// Reads all rows and measures them, as an import does.
void read_through(const RowSource& source);

[[nodiscard]] Bytes bytes_of(std::string_view text);
/// `first`, then a byte of its own for each option, then the rest.
[[nodiscard]] Bytes joined(std::initializer_list<Bytes> parts);

extern const Target kIdx, kPacked, kCsv, kNpy, kSafetensors, kModel, kConfig, kDataset, kElsewhere, kCheckpoint;

}  // namespace lockstep::fuzz
