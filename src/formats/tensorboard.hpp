#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace lockstep {

/// A file of TensorBoard events (TensorFlow's tensorflow/core/util/event.proto, each in a frame of TFRecord with masked CRC-32C), for
/// scalars.
class EventFile {
 public:
  /// Starts a file in the folder, which is made; event files that are there are deleted. Throws CheckpointError when that fails.
  explicit EventFile(const std::filesystem::path& folder);

  /// The value at a step; `time` in seconds since 1970. One that is not finite is left out. Kept until `flush`.
  void add(std::uint64_t step, double time, std::string_view tag, double value);
  /// Throws CheckpointError when the file cannot be written.
  void flush();

 private:
  std::filesystem::path file_;
  std::string frames_;
};

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4).
[[nodiscard]] std::uint32_t crc32c(std::string_view bytes);

}  // namespace lockstep
