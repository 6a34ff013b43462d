#include "formats/import_idx.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <span>

#include "formats/compressed_file.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPiece = 1 << 20;
constexpr std::uint8_t kUnsignedByte = 0x08;

std::vector<std::int64_t> read_header(CompressedFile& file, std::size_t axes) {
  std::array<std::uint8_t, 4> magic{};
  if (file.read(magic) != magic.size() || magic[0] != 0 || magic[1] != 0) {
    throw DataError(fmt::format("{}: is not an IDX file: it begins with the bytes {:02x}, not 00 00 08 0{}.", file.name(),
                                fmt::join(magic, " "), axes));
  }
  if (magic[2] != kUnsignedByte || magic[3] != axes) {
    throw DataError(
        fmt::format("{}: holds elements of type 0x{:02x} with {} axes, but type 0x08 (unsigned byte) with {} is needed.\n"
                    "  Are the files of images and labels in their places?",
                    file.name(), magic[2], magic[3], axes));
  }
  std::vector<std::int64_t> dims;
  for (std::size_t axis = 0; axis < axes; ++axis) {
    std::array<std::uint8_t, 4> b{};
    if (file.read(b) != b.size()) {
      throw DataError(fmt::format("{}: ends inside its header.\n  Fetch it again.", file.name()));
    }
    dims.push_back(std::int64_t{b[0]} << 24 | std::int64_t{b[1]} << 16 | std::int64_t{b[2]} << 8 | std::int64_t{b[3]});
  }
  return dims;
}

/// One file, read row by row.
class Idx {
 public:
  Idx(const std::filesystem::path& path, std::size_t axes) : file_(path), dims_(read_header(file_, axes)) {
    std::uint64_t bytes = 1;
    for (std::size_t axis = 1; axis < axes; ++axis) {
      bytes *= static_cast<std::uint64_t>(dims_[axis]);  // at most 2^64 − 2^33 + 1 for two axes
    }
    if (dims_[0] == 0 || bytes == 0 || bytes > (std::uint64_t{1} << 31)) {
      throw DataError(
          fmt::format("{}: announces an array of {}, which cannot be images or labels.", file_.name(), fmt::join(dims_, " x ")));
    }
    row_bytes_ = bytes;
  }

  [[nodiscard]] const std::vector<std::int64_t>& dims() const { return dims_; }
  [[nodiscard]] const std::string& name() const { return file_.name(); }
  [[nodiscard]] std::size_t row_bytes() const { return row_bytes_; }

  /// The next rows. Reads piece by piece, so memory grows with what the file holds and not with what its header says.
  void read(std::size_t rows, std::vector<std::uint8_t>& values) {
    values.clear();
    const std::size_t wanted = rows * row_bytes_;
    while (values.size() < wanted) {
      const std::size_t before = values.size();
      const std::size_t piece = std::min(kPiece, wanted - before);
      values.resize(before + piece);
      const std::size_t got = file_.read(std::span(values).subspan(before));
      read_ += got;
      if (got < piece) {
        throw DataError(
            fmt::format("{}: announces {} x {} bytes, but ends after {}.\n  Fetch it again.", file_.name(), dims_[0], row_bytes_, read_));
      }
    }
  }
  void expect_end() {
    std::array<std::uint8_t, 1> more{};
    if (file_.read(more) != 0) {
      throw DataError(
          fmt::format("{}: goes on after the {} x {} bytes that it announces.\n  Fetch it again.", file_.name(), dims_[0], row_bytes_));
    }
  }

 private:
  CompressedFile file_;
  std::vector<std::int64_t> dims_;
  std::size_t row_bytes_ = 0;
  std::size_t read_ = 0;
};

}  // namespace

RowSource idx_rows(const std::filesystem::path& images, const std::filesystem::path& labels) {
  const Idx pictures(images, 3);
  const Idx classes(labels, 1);
  if (classes.dims()[0] != pictures.dims()[0]) {
    throw DataError(fmt::format("{} holds {} images, but {} holds {} labels.\n  They belong to different sets.", images.string(),
                                pictures.dims()[0], labels.string(), classes.dims()[0]));
  }
  RowSource source;
  source.rows = pictures.dims()[0];
  source.fields = {{"features", {1, pictures.dims()[1], pictures.dims()[2]}, DType::u8}, {"labels", {}, DType::i32}};
  source.normalised = {"features"};
  source.read = [images, labels, rows = source.rows](const RowSink& take) {
    Idx pictures(images, 3);
    Idx classes(labels, 1);
    std::vector<std::uint8_t> pixels;
    std::vector<std::uint8_t> bytes;
    const auto at_once = static_cast<std::int64_t>(std::max<std::size_t>(1, kPiece / pictures.row_bytes()));
    for (std::int64_t row = 0; row < rows; row += at_once) {
      const auto count = static_cast<std::size_t>(std::min(at_once, rows - row));
      pictures.read(count, pixels);
      classes.read(count, bytes);
      const std::vector<std::int32_t> numbers(bytes.begin(), bytes.end());
      take(std::array{std::as_bytes(std::span(pixels)), std::as_bytes(std::span(numbers))});
    }
    pictures.expect_end();
    classes.expect_end();
  };
  return source;
}

std::vector<std::string> fashion_mnist_classes() {
  return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};
}

}  // namespace lockstep
