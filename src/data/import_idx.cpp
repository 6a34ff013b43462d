#include "data/import_idx.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <span>
#include <utility>

#include "data/compressed_file.hpp"
#include "data/dataset_writer.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::size_t kPiece = 1 << 20;
constexpr std::uint8_t kUnsignedByte = 0x08;

struct IdxArray {
  std::vector<std::int64_t> dims;
  std::vector<std::uint8_t> values;
};

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

/// Reads piece by piece, so memory grows with what the file holds and not with what its header says.
IdxArray read_idx(const std::filesystem::path& path, std::size_t axes, std::int64_t limit) {
  CompressedFile file(path);
  IdxArray array{read_header(file, axes), {}};
  const std::int64_t announced = array.dims[0];
  std::uint64_t row_bytes = 1;
  for (std::size_t axis = 1; axis < axes; ++axis) {
    row_bytes *= static_cast<std::uint64_t>(array.dims[axis]);  // at most 2^64 − 2^33 + 1 for two axes
  }
  if (announced == 0 || row_bytes == 0 || row_bytes > (std::uint64_t{1} << 31)) {
    throw DataError(
        fmt::format("{}: announces an array of {}, which cannot be images or labels.", file.name(), fmt::join(array.dims, " x ")));
  }
  array.dims[0] = limit > 0 ? std::min(limit, announced) : announced;
  const std::uint64_t wanted = static_cast<std::uint64_t>(array.dims[0]) * row_bytes;
  while (array.values.size() < wanted) {
    const std::size_t before = array.values.size();
    const std::size_t piece = std::min<std::uint64_t>(kPiece, wanted - before);
    array.values.resize(before + piece);
    if (const std::size_t got = file.read(std::span(array.values).subspan(before)); got < piece) {
      throw DataError(fmt::format("{}: announces {} x {} bytes, but ends after {}.\n  Fetch it again.", file.name(), announced, row_bytes,
                                  before + got));
    }
  }
  std::array<std::uint8_t, 1> more{};
  if (array.dims[0] == announced && file.read(more) != 0) {
    throw DataError(
        fmt::format("{}: goes on after the {} x {} bytes that it announces.\n  Fetch it again.", file.name(), announced, row_bytes));
  }
  return array;
}

struct Part {
  IdxArray images;
  std::vector<std::int32_t> labels;
  [[nodiscard]] std::int64_t rows() const { return images.dims[0]; }
};

Part read_part(const IdxPair& pair, const std::vector<std::string>& class_names) {
  Part part{read_idx(pair.images, 3, pair.limit), {}};
  const IdxArray labels = read_idx(pair.labels, 1, pair.limit);
  if (labels.dims[0] != part.rows()) {
    throw DataError(fmt::format("{} holds {} images, but {} holds {} labels.\n  They belong to different sets.", pair.images.string(),
                                part.rows(), pair.labels.string(), labels.dims[0]));
  }
  for (std::size_t row = 0; row < labels.values.size(); ++row) {
    if (!class_names.empty() && labels.values[row] >= class_names.size()) {
      throw DataError(fmt::format("{}: holds the class {} in row {}, but there are {} class names (0..{}).\n  Give a name for each class.",
                                  pair.labels.string(), labels.values[row], row, class_names.size(), class_names.size() - 1));
    }
  }
  part.labels.assign(labels.values.begin(), labels.values.end());
  return part;
}

/// Mean and deviation of all pixels, from exact integer sums.
std::pair<double, double> statistics(const std::vector<std::uint8_t>& pixels) {
  std::uint64_t sum = 0;
  std::uint64_t squares = 0;
  for (const std::uint8_t x : pixels) {
    sum += x;
    squares += std::uint64_t{x} * x;
  }
  const auto n = static_cast<double>(pixels.size());
  const double mean = static_cast<double>(sum) / n;
  const double variance = static_cast<double>(squares) / n - mean * mean;
  return {mean, variance > 0 ? std::sqrt(variance) : 1.0};
}

void write_part(const Part& part, const std::filesystem::path& folder, DatasetOptions options) {
  const std::int64_t height = part.images.dims[1];
  const std::int64_t width = part.images.dims[2];
  DatasetWriter writer(folder, {{"features", {1, height, width}, DType::u8}, {"labels", {}, DType::i32}}, part.rows(), std::move(options));
  const std::array values{std::as_bytes(std::span(part.images.values)), std::as_bytes(std::span(part.labels))};
  writer.append(values);
  writer.close();
}

}  // namespace

ImportResult import_idx(const IdxImport& what, const std::filesystem::path& out) {
  const Part train = read_part(what.train, what.class_names);
  std::optional<Part> test;
  if (what.test) {
    test = read_part(*what.test, what.class_names);
    if (test->images.dims[1] != train.images.dims[1] || test->images.dims[2] != train.images.dims[2]) {
      throw DataError(fmt::format("{}: the test images are {} x {}, but the training images {} x {}.", what.test->images.string(),
                                  test->images.dims[1], test->images.dims[2], train.images.dims[1], train.images.dims[2]));
    }
  }
  const auto [mean, std] = statistics(train.images.values);
  const DatasetOptions options{what.class_names, {mean}, {std}, what.chunk_rows, what.rows_per_shard};
  write_part(train, out / "train", options);
  if (test) {
    write_part(*test, out / "test", options);
  }
  return {train.rows(), test ? test->rows() : 0, mean, std};
}

std::vector<std::string> fashion_mnist_classes() {
  return {"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"};
}

}  // namespace lockstep
