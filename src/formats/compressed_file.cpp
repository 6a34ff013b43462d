#include "formats/compressed_file.hpp"

#include <fmt/format.h>
#include <lzma.h>
#include <zlib.h>

#include <array>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::array<std::uint8_t, 6> kXzMagic{0xFD, '7', 'z', 'X', 'Z', 0x00};
constexpr std::uint64_t kMostMemory = std::uint64_t{256} << 20;

[[noreturn]] void refuse_damaged(const std::string& name, const std::string& reason) {
  throw DataError(fmt::format("{}: is damaged or cut short ({}).\n  Fetch it again.", name, reason));
}

[[noreturn]] void refuse_xz(const std::string& name, lzma_ret code) {
  switch (code) {
    case LZMA_MEMLIMIT_ERROR:
      throw DataError(fmt::format("{}: needs more than {} MiB of memory to unpack.\n  Unpack it first: xz -d", name, kMostMemory >> 20));
    case LZMA_MEM_ERROR:
      throw DataError(fmt::format("{}: there is no memory to unpack it.", name));
    case LZMA_OPTIONS_ERROR:
      throw DataError(fmt::format("{}: uses what this liblzma does not know.\n  Unpack it first: xz -d", name));
    case LZMA_BUF_ERROR:
      refuse_damaged(name, "unexpected end of file");
    default:
      refuse_damaged(name, "data error");
  }
}

}  // namespace

struct CompressedFile::Xz {
  lzma_stream stream = LZMA_STREAM_INIT;
  std::array<std::uint8_t, 1 << 16> packed{};
  lzma_action action = LZMA_RUN;  ///< LZMA_FINISH once the file is at its end
  bool ended = false;

  Xz() = default;
  Xz(const Xz&) = delete;
  Xz& operator=(const Xz&) = delete;
  ~Xz() { lzma_end(&stream); }
};

CompressedFile::CompressedFile(const std::filesystem::path& path)
    : name_(path.string()), file_(std::filesystem::is_regular_file(path) ? gzopen(name_.c_str(), "rb") : nullptr, gzclose) {
  if (!file_) {
    throw DataError(fmt::format("{}: there is no such file, or it cannot be read.", name_));
  }
  std::array<std::uint8_t, kXzMagic.size()> first{};
  if (read_packed(first) == first.size() && first == kXzMagic) {
    xz_ = std::make_unique<Xz>();
    if (const lzma_ret code = lzma_stream_decoder(&xz_->stream, kMostMemory, LZMA_CONCATENATED); code != LZMA_OK) {
      refuse_xz(name_, code);
    }
  }
  gzrewind(file_.get());
}

CompressedFile::~CompressedFile() = default;

std::size_t CompressedFile::read_packed(std::span<std::uint8_t> bytes) {
  const int count = gzread(file_.get(), bytes.data(), static_cast<unsigned>(bytes.size()));
  int code = Z_OK;
  const char* const reason = gzerror(file_.get(), &code);
  if (count < 0 || code != Z_OK) {
    refuse_damaged(name_, reason);
  }
  return static_cast<std::size_t>(count);
}

std::size_t CompressedFile::read(std::span<std::uint8_t> bytes) {
  if (!xz_) {
    return read_packed(bytes);
  }
  lzma_stream& stream = xz_->stream;
  stream.next_out = bytes.data();
  stream.avail_out = bytes.size();
  while (stream.avail_out > 0 && !xz_->ended) {
    if (stream.avail_in == 0 && xz_->action == LZMA_RUN) {
      stream.next_in = xz_->packed.data();
      stream.avail_in = read_packed(xz_->packed);
      xz_->action = stream.avail_in < xz_->packed.size() ? LZMA_FINISH : LZMA_RUN;
    }
    const lzma_ret code = lzma_code(&stream, xz_->action);
    xz_->ended = code == LZMA_STREAM_END;
    if (code != LZMA_OK && !xz_->ended) {
      refuse_xz(name_, code);
    }
  }
  return bytes.size() - stream.avail_out;
}

}  // namespace lockstep
