#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace lockstep {

/// A file read from beginning to end: plain, gzip or xz, which its first bytes tell, not its name. Unpacks as it reads; holds a few
/// hundred KiB, and for xz the dictionary that the file asks for (64 MiB after `xz -9`; more than 256 MiB is refused).
class CompressedFile {
 public:
  /// Throws DataError if there is no such file or it cannot be read.
  explicit CompressedFile(const std::filesystem::path& path);
  CompressedFile(const CompressedFile&) = delete;
  CompressedFile& operator=(const CompressedFile&) = delete;
  ~CompressedFile();

  /// Fewer bytes than asked for only at the end of the file. Throws DataError on damaged or cut compressed data; the checksum at the end
  /// is compared by the read that meets the end.
  std::size_t read(std::span<std::uint8_t> bytes);
  [[nodiscard]] const std::string& name() const { return name_; }

  struct Decoder;

 private:
  std::string name_;
  std::unique_ptr<Decoder> decoder_;
};

}  // namespace lockstep
