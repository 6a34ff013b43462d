#include "train/whole_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>

#include "lockstep/error.hpp"
#include "runtime/aligned.hpp"

namespace lockstep {
namespace {

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what, int error) {
  const bool full = error == ENOSPC || error == EDQUOT || error == EFBIG;
  throw CheckpointError(
      fmt::format("{} cannot be {}: {}.{}", path.string(), what, std::generic_category().message(error),
                  full ? "\n  Make room there and start the same command again: it goes on from the last checkpoint." : ""));
}

/// `good` is what came of a system call, whose error still stands in errno.
void require(bool good, const std::filesystem::path& path, std::string_view what) {
  if (!good) {
    fail(path, what, errno);
  }
}

class File {
 public:
  File(const std::filesystem::path& path, int flags, std::string_view what) : id_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    require(id_ >= 0, path, what);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  ~File() {
    if (id_ >= 0) {
      ::close(id_);
    }
  }
  operator int() const { return id_; }
  /// Closes now; some file systems report a failed write only here.
  int close() {
    const int id = id_;
    id_ = -1;
    return ::close(id);
  }

 private:
  int id_;
};

/// Large files go past the page cache where the file system can do that: filling pages takes the processor longer than hashing them.
constexpr std::size_t kPiece = std::size_t{4} << 20;
constexpr std::size_t kBlock = 4096;  ///< what addresses, offsets and lengths must be multiples of there

std::size_t in_blocks(std::size_t size) { return (size + kBlock - 1) / kBlock * kBlock; }

/// After an error: whether to try again, since `file` went past the page cache with what cannot, and no longer does.
bool use_page_cache(int file) {
  const int flags = ::fcntl(file, F_GETFL);
  return errno == EINVAL && (flags & O_DIRECT) != 0 && ::fcntl(file, F_SETFL, flags & ~O_DIRECT) == 0;
}

/// Writes all bytes; false where that fails.
bool write_all(int file, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(file, bytes.data(), bytes.size());
    if (written < 0 && errno != EINTR && !use_page_cache(file)) {
      return false;
    }
    bytes = bytes.subspan(static_cast<std::size_t>(std::max<ssize_t>(written, 0)));
  }
  return true;
}

/// Reads until `bytes` is full or the file ends; the number of bytes read, or −1.
ssize_t read_at(int file, std::span<std::byte> bytes, std::size_t offset) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::pread(file, bytes.data() + done, bytes.size() - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno != EINTR && !use_page_cache(file)) {
      return -1;
    }
    if (got == 0) {
      break;
    }
    done += static_cast<std::size_t>(std::max<ssize_t>(got, 0));
  }
  return static_cast<ssize_t>(done);
}

/// Writes `bytes` to a new file, by way of `piece`; false where that fails.
bool write_pieces(int file, std::span<const std::byte> bytes, std::span<std::byte> piece) {
  for (std::size_t at = 0; at < bytes.size(); at += piece.size()) {
    const std::size_t size = std::min(piece.size(), bytes.size() - at);
    std::memcpy(piece.data(), bytes.data() + at, size);
    if (!write_all(file, piece.first(in_blocks(size)))) {
      return false;
    }
  }
  return ::ftruncate(file, static_cast<off_t>(bytes.size())) == 0 && ::fsync(file) == 0;
}

/// Throws unless the file holds exactly these bytes, asked from the disk rather than from memory where the system allows that.
void compare(int file, std::span<const std::byte> bytes, std::span<std::byte> piece, const std::filesystem::path& path) {
  ::posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
  for (std::size_t at = 0; at <= bytes.size(); at += piece.size()) {
    const std::span<const std::byte> wanted = bytes.subspan(at, std::min(piece.size(), bytes.size() - at));
    const ssize_t got = read_at(file, piece, at);
    require(got >= 0, path, "read back");
    if (static_cast<std::size_t>(got) != wanted.size() || std::memcmp(wanted.data(), piece.data(), wanted.size()) != 0) {
      throw CheckpointError(fmt::format("{} does not hold what was written to it; the disk may be failing.", path.string()));
    }
  }
}

void sync_folder(const std::filesystem::path& file) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  const File handle(folder, O_RDONLY | O_DIRECTORY, "opened");
  // Some file systems cannot sync a folder and need not.
  require(::fsync(handle) == 0 || errno == EINVAL || errno == ENOTSUP, folder, "synced");
}

}  // namespace

std::vector<std::byte> read_whole_file(const std::filesystem::path& path) {
  const File file(path, O_RDONLY, "read");
  struct stat about {};
  require(::fstat(file, &about) == 0, path, "read");
  if (!S_ISREG(about.st_mode)) {
    throw CheckpointError(fmt::format("{} cannot be read: it is not a regular file.", path.string()));
  }
  std::vector<std::byte> bytes(static_cast<std::size_t>(about.st_size));
  const ssize_t got = read_at(file, bytes, 0);
  require(got >= 0, path, "read");
  bytes.resize(static_cast<std::size_t>(got));
  return bytes;
}

void write_whole_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  const std::filesystem::path temporary = path.string() + ".tmp";
  const AlignedBytes memory(std::min(kPiece, in_blocks(std::max<std::size_t>(1, bytes.size()))));
  const std::span<std::byte> piece(memory.data(), memory.size());
  File file(temporary, O_RDWR | O_CREAT | O_TRUNC, "written");
  try {
    if (bytes.size() >= kPiece) {
      ::fcntl(file, F_SETFL, O_DIRECT);  // where that is refused, the page cache it is
    }
    require(write_pieces(file, bytes, piece), path, "written");
    compare(file, bytes, piece, path);
    require(file.close() == 0 && ::rename(temporary.c_str(), path.c_str()) == 0, path, "written");
  } catch (...) {
    ::unlink(temporary.c_str());
    throw;
  }
  sync_folder(path);
}

void write_whole_file(const std::filesystem::path& path, std::string_view text) { write_whole_file(path, std::as_bytes(std::span(text))); }

void append_to_file(const std::filesystem::path& path, std::string_view text) {
  File file(path, O_WRONLY | O_CREAT | O_APPEND, "written");
  const off_t before = ::lseek(file, 0, SEEK_END);
  if (!write_all(file, std::as_bytes(std::span(text)))) {
    const int error = errno;
    require(::ftruncate(file, before) == 0, path, "cut back");
    fail(path, "written", error);
  }
  require(file.close() == 0, path, "written");
}

}  // namespace lockstep
