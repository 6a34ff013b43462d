#include "data/compressed_file.hpp"

#include <fmt/format.h>
#include <lzma.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::array<std::uint8_t, 6> kXzMagic{0xFD, '7', 'z', 'X', 'Z', 0x00};
constexpr std::size_t kPiece = 1 << 16;
constexpr std::uint64_t kMostMemory = std::uint64_t{256} << 20;

using File = std::unique_ptr<std::FILE, int (*)(std::FILE*)>;

[[noreturn]] void refuse_damaged(const std::string& name, const std::string& reason) {
  throw DataError(fmt::format("{}: is damaged or cut short ({}).\n  Fetch it again.", name, reason));
}

}  // namespace

struct CompressedFile::Decoder {
  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  virtual ~Decoder() = default;
  virtual std::size_t read(const std::string& name, std::span<std::uint8_t> bytes) = 0;
};

namespace {

/// zlib hands a file that is not gzip through as it is.
class GzipOrPlain final : public CompressedFile::Decoder {
 public:
  explicit GzipOrPlain(const std::string& name) : file_(gzopen(name.c_str(), "rb"), gzclose) {}
  [[nodiscard]] bool open() const { return file_ != nullptr; }

  std::size_t read(const std::string& name, std::span<std::uint8_t> bytes) override {
    const int count = gzread(file_.get(), bytes.data(), static_cast<unsigned>(bytes.size()));
    int code = Z_OK;
    const char* const reason = gzerror(file_.get(), &code);
    if (count < 0 || code != Z_OK) {
      refuse_damaged(name, reason);
    }
    return static_cast<std::size_t>(count);
  }

 private:
  std::unique_ptr<gzFile_s, int (*)(gzFile)> file_;
};

class Xz final : public CompressedFile::Decoder {
 public:
  explicit Xz(File file) : file_(std::move(file)), packed_(kPiece) {
    if (lzma_stream_decoder(&stream_, kMostMemory, LZMA_CONCATENATED) != LZMA_OK) {
      throw DataError("liblzma: there is no memory to unpack .xz files.");
    }
  }
  ~Xz() override { lzma_end(&stream_); }

  std::size_t read(const std::string& name, std::span<std::uint8_t> bytes) override {
    stream_.next_out = bytes.data();
    stream_.avail_out = bytes.size();
    while (stream_.avail_out > 0 && !ended_) {
      if (stream_.avail_in == 0 && !std::feof(file_.get())) {
        stream_.next_in = packed_.data();
        stream_.avail_in = std::fread(packed_.data(), 1, packed_.size(), file_.get());
        if (std::ferror(file_.get())) {
          refuse_damaged(name, "it cannot be read to its end");
        }
      }
      const lzma_ret code = lzma_code(&stream_, std::feof(file_.get()) ? LZMA_FINISH : LZMA_RUN);
      ended_ = code == LZMA_STREAM_END;
      if (code != LZMA_OK && !ended_) {
        refuse(name, code);
      }
    }
    return bytes.size() - stream_.avail_out;
  }

 private:
  [[noreturn]] static void refuse(const std::string& name, lzma_ret code) {
    switch (code) {
      case LZMA_MEMLIMIT_ERROR:
        throw DataError(fmt::format("{}: needs more than {} MiB of memory to unpack.\n  Unpack it first: xz -d", name, kMostMemory >> 20));
      case LZMA_MEM_ERROR:
        throw DataError(fmt::format("{}: there is no memory to unpack it.", name));
      case LZMA_OPTIONS_ERROR:
        throw DataError(fmt::format("{}: uses what this liblzma does not know.\n  Unpack it first: xz -d", name));
      case LZMA_BUF_ERROR:
        refuse_damaged(name, "unexpected end of file");
        refuse_damaged(name, "other bytes follow the xz data");
      default:
        refuse_damaged(name, "data error");
    }
  }

  File file_;
  std::vector<std::uint8_t> packed_;
  lzma_stream stream_ = LZMA_STREAM_INIT;
  bool ended_ = false;
};

bool begins_as_xz(std::FILE* file) {
  std::array<std::uint8_t, kXzMagic.size()> first{};
  const bool same = std::fread(first.data(), 1, first.size(), file) == first.size() && first == kXzMagic;
  std::rewind(file);
  return same;
}

}  // namespace

CompressedFile::CompressedFile(const std::filesystem::path& path) : name_(path.string()) {
  File file(std::filesystem::is_regular_file(path) ? std::fopen(name_.c_str(), "rb") : nullptr, std::fclose);
  if (file && begins_as_xz(file.get())) {
    decoder_ = std::make_unique<Xz>(std::move(file));
    return;
  }
  auto decoder = std::make_unique<GzipOrPlain>(name_);
  if (!file || !decoder->open()) {
    throw DataError(fmt::format("{}: there is no such file, or it cannot be read.", name_));
  }
  decoder_ = std::move(decoder);
}

CompressedFile::~CompressedFile() = default;

std::size_t CompressedFile::read(std::span<std::uint8_t> bytes) { return decoder_->read(name_, bytes); }

}  // namespace lockstep
