#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

struct gzFile_s;  // zlib's

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

 private:
  struct Xz;
  std::size_t read_packed(std::span<std::uint8_t> bytes);

  std::string name_;
  std::unique_ptr<gzFile_s, int (*)(gzFile_s*)> file_;  ///< zlib hands what is not gzip through as it is
  std::unique_ptr<Xz> xz_;                              ///< if it is xz
};

}  // namespace lockstep
