#include "formats/import_idx.hpp"

#include <gtest/gtest.h>
#include <lzma.h>
#include <zlib.h>

#include <cmath>
#include <cstring>

#include "data/sample_data.hpp"
#include "formats/inspect.hpp"

namespace lockstep {
namespace {

using testing::expect_contains;
using testing::message_of;
using testing::TemporaryFolder;

std::vector<char> idx(const std::vector<std::uint32_t>& dims, const std::vector<char>& values, char type = 8) {
  std::vector<char> bytes{0, 0, type, static_cast<char>(dims.size())};
  for (const std::uint32_t n : dims) {
    for (const int shift : {24, 16, 8, 0}) {
      bytes.push_back(static_cast<char>(n >> shift));
    }
  }
  bytes.insert(bytes.end(), values.begin(), values.end());
  return bytes;
}

void write_gz(const std::filesystem::path& path, const std::vector<char>& bytes) {
  gzFile file = gzopen(path.c_str(), "wb9");
  ASSERT_EQ(gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size())), std::ssize(bytes));
  ASSERT_EQ(gzclose(file), Z_OK);
}

std::vector<char> xz(const std::vector<char>& bytes, std::uint32_t preset = 6) {
  std::vector<char> packed(lzma_stream_buffer_bound(bytes.size()));
  std::size_t size = 0;
  EXPECT_EQ(lzma_easy_buffer_encode(preset, LZMA_CHECK_CRC64, nullptr, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size(),
                                    reinterpret_cast<std::uint8_t*>(packed.data()), &size, packed.size()),
            LZMA_OK);
  packed.resize(size);
  return packed;
}

/// Makes `out`/train and, if test images are given, `out`/test.
void import_idx(const std::filesystem::path& images, const std::filesystem::path& labels, const std::filesystem::path& out,
                const std::vector<std::string>& class_names = {}, const std::optional<RowSource>& test = {}) {
  import_rows(idx_rows(images, labels), test, out, {.class_names = class_names});
}

/// Two images of 2 × 3 and their labels 1, 0.
struct TwoImages {
  TemporaryFolder folder;
  std::vector<char> images = idx({2, 2, 3}, {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, static_cast<char>(255)});
  std::vector<char> labels = idx({2}, {1, 0});

  [[nodiscard]] std::filesystem::path at(const char* name) const { return folder.path() / name; }
  [[nodiscard]] std::string refusal() const {
    testing::write_bytes(at("images"), images);
    testing::write_bytes(at("labels"), labels);
    std::string message = message_of([&] { import_idx(at("images"), at("labels"), at("out")); });
    EXPECT_FALSE(std::filesystem::exists(at("out") / "train"));
    return message;
  }
};

TEST(ImportIdx, PlainGzipAndXzGiveTheSameDataset) {
  const TwoImages two;
  testing::write_bytes(two.at("images"), two.images);
  testing::write_bytes(two.at("labels"), two.labels);
  write_gz(two.at("images.gz"), two.images);
  write_gz(two.at("labels.gz"), two.labels);
  testing::write_bytes(two.at("packed"), xz(two.images));  // found out by its bytes, not by its name
  testing::write_bytes(two.at("labels.xz"), xz(two.labels));
  import_idx(two.at("images"), two.at("labels"), two.at("plain"), {"a", "b"},
             first_rows(idx_rows(two.at("images.gz"), two.at("labels.gz")), 1));
  import_idx(two.at("images.gz"), two.at("labels.gz"), two.at("gz"), {"a", "b"});
  import_idx(two.at("packed"), two.at("labels.xz"), two.at("xz"), {"a", "b"});
  const Dataset train = Dataset::open(two.at("plain") / "train");
  EXPECT_EQ(train.rows(), 2);
  EXPECT_DOUBLE_EQ(train.mean().at(0), 330.0 / 12);
  EXPECT_EQ(Dataset::open(two.at("gz") / "train").checksum(), train.checksum());
  EXPECT_EQ(Dataset::open(two.at("xz") / "train").checksum(), train.checksum());
  EXPECT_EQ(train.field("features").sample, Shape({1, 2, 3}));
  const Chunk chunk = train.read_chunk(0);
  EXPECT_EQ(std::memcmp(chunk.fields[0].data(), two.images.data() + 16, 12), 0);
  std::int32_t labels[2];
  std::memcpy(labels, chunk.fields[1].data(), sizeof labels);
  EXPECT_EQ(labels[0], 1);
  EXPECT_EQ(labels[1], 0);
  const Dataset test = Dataset::open(two.at("plain") / "test");
  EXPECT_EQ(test.rows(), 1);
  EXPECT_EQ(test.mean(), train.mean());
  EXPECT_EQ(test.std(), train.std());
  EXPECT_EQ(test.class_names(), (std::vector<std::string>{"a", "b"}));
}

TEST(ImportIdx, ForgedSizesAreRefusedWithoutMemory) {
  TwoImages two;
  two.labels = idx({0xFFFFFFFF}, {0, 1});
  two.images = idx({0xFFFFFFFF, 30000, 30000}, std::vector<char>(100));  // 3.9 exabytes
  expect_contains(two.refusal(), "images: announces 4294967295 x 900000000 bytes, but ends after 100");
  two.images = idx({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, std::vector<char>(100));
  expect_contains(two.refusal(), "which cannot be images or labels");
  two.labels = idx({2}, {1, 0});
  two.images = idx({0, 2, 3}, {});
  expect_contains(two.refusal(), "announces an array of 0 x 2 x 3");
  two.images = idx({2, 2, 3}, std::vector<char>(11));
  expect_contains(two.refusal(), "announces 2 x 6 bytes, but ends after 11");
  two.images = idx({2, 2, 3}, std::vector<char>(13));
  expect_contains(two.refusal(), "goes on after the 2 x 6 bytes");
}

TEST(ImportIdx, OtherFilesAreRefused) {
  TwoImages two;
  const auto images = two.images;
  two.images = two.labels;
  expect_contains(two.refusal(), "Are the files of images and labels in their places?");
  two.images = {'P', 'N', 'G', '!'};
  expect_contains(two.refusal(), "is not an IDX file: it begins with the bytes 50 4e 47 21");
  two.images = idx({2, 2, 3}, std::vector<char>(48), 0x0D);
  expect_contains(two.refusal(), "holds elements of type 0x0d");
  two.images = {0, 0, 8, 3, 0, 0};
  expect_contains(two.refusal(), "ends inside its header");
  two.images = {};
  expect_contains(two.refusal(), "is not an IDX file");
  two.images = images;
  two.labels = idx({1}, {0});
  expect_contains(two.refusal(), "holds 2 images, but");
  expect_contains(message_of([&] { import_idx(two.at("absent"), two.at("labels"), two.at("out")); }), "absent: there is no such file");
  testing::write_bytes(two.at("labels"), idx({2}, {0, 2}));
  expect_contains(message_of([&] {
                    import_idx(two.at("images"), two.at("labels"), two.at("out"), {"a", "b"});
                  }),
                  "hold the class 2 in row 1, but there are 2 class names (0..1)");
}

/// 3000 images of 2 × 3 in a file, and what is said of other bytes in its place.
struct ManyImages {
  TemporaryFolder folder;
  std::filesystem::path images = folder.path() / "images";
  std::filesystem::path labels = folder.path() / "labels";
  std::vector<char> plain;

  ManyImages() {
    std::vector<char> noise;
    for (std::uint32_t i = 0; i < 3000 * 6; ++i) {
      noise.push_back(static_cast<char>(i * i * 31 >> 3));
    }
    plain = idx({3000, 2, 3}, noise);
    testing::write_bytes(labels, idx({3000}, std::vector<char>(3000)));
  }
  [[nodiscard]] std::string refusal(const std::vector<char>& bytes) const {
    testing::write_bytes(images, bytes);
    return message_of([&] { import_idx(images, labels, folder.path() / "out"); });
  }
};

std::vector<char> cut(std::vector<char> bytes, std::ptrdiff_t from_end) {
  bytes.resize(bytes.size() - static_cast<std::size_t>(from_end));
  return bytes;
}

std::vector<char> flipped(std::vector<char> bytes, std::size_t from_end) {
  char& byte = bytes[bytes.size() - from_end];
  byte = static_cast<char>(byte ^ 1);
  return bytes;
}

TEST(ImportIdx, DamagedGzipIsRefused) {
  const ManyImages many;
  write_gz(many.images, many.plain);
  const std::vector<char> whole = testing::file_bytes(many.images);
  expect_contains(many.refusal(cut(whole, std::ssize(whole) / 2)), "images: is damaged or cut short");
  expect_contains(many.refusal(cut(whole, 4)), "is damaged or cut short");
  expect_contains(many.refusal(flipped(whole, 7)), "is damaged or cut short");  // the stored CRC
}

TEST(ImportIdx, DamagedXzIsRefused) {
  const ManyImages many;
  const std::vector<char> whole = xz(many.plain);
  expect_contains(many.refusal(cut(whole, std::ssize(whole) / 2)), "images: is damaged or cut short (unexpected end of file)");
  expect_contains(many.refusal(cut(whole, 1)), "is damaged or cut short (unexpected end of file)");
  for (std::size_t from_end = 1; from_end < whole.size() - 6; from_end += from_end < 80 ? 1 : 97) {
    expect_contains(many.refusal(flipped(whole, from_end)), "images: ");
  }
  std::vector<char> longer = whole;
  longer.insert(longer.end(), 12, 'm');
  expect_contains(many.refusal(longer), "is damaged or cut short (data error)");
  longer = whole;
  const std::vector<char> second = xz({'m', 'o', 'r', 'e'});
  longer.insert(longer.end(), second.begin(), second.end());  // as `cat a.xz b.xz` makes it
  expect_contains(many.refusal(longer), "goes on after the 3000 x 6 bytes");
}

/// A block header may ask for a dictionary of up to 4 GiB.
TEST(ImportIdx, XzThatAsksForMuchMemoryIsRefused) {
  const ManyImages many;
  lzma_options_lzma options{};
  ASSERT_FALSE(lzma_lzma_preset(&options, 0));
  options.dict_size = std::uint32_t{1} << 29;
  const lzma_filter filters[] = {{LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  lzma_block block{};
  block.check = LZMA_CHECK_CRC32;
  block.filters = const_cast<lzma_filter*>(filters);
  block.compressed_size = block.uncompressed_size = LZMA_VLI_UNKNOWN;
  ASSERT_EQ(lzma_block_header_size(&block), LZMA_OK);
  std::vector<char> bytes(LZMA_STREAM_HEADER_SIZE + block.header_size);
  auto* const out = reinterpret_cast<std::uint8_t*>(bytes.data());
  lzma_stream_flags flags{};
  flags.check = LZMA_CHECK_CRC32;
  ASSERT_EQ(lzma_stream_header_encode(&flags, out), LZMA_OK);
  ASSERT_EQ(lzma_block_header_encode(&block, out + LZMA_STREAM_HEADER_SIZE), LZMA_OK);
  expect_contains(many.refusal(bytes), "images: needs more than 256 MiB of memory to unpack");
}

TEST(ImportIdx, TheSmallRealSet) {
  const TemporaryFolder folder;
  const std::filesystem::path source = std::filesystem::path(LOCKSTEP_SOURCE_DIR) / "datasets/fashion-mnist-small-idx";
  import_idx(source / "train-images-idx3-ubyte.xz", source / "train-labels-idx1-ubyte.xz", folder.path(), fashion_mnist_classes(),
             idx_rows(source / "t10k-images-idx3-ubyte.xz", source / "t10k-labels-idx1-ubyte.xz"));
  const Dataset train = Dataset::open(folder.path() / "train");
  EXPECT_EQ(train.rows(), 2000);
  EXPECT_EQ(Dataset::open(folder.path() / "test").rows(), 500);
  EXPECT_NEAR(train.mean().at(0), 73, 2);  // the whole set: 72.94 and 90.02
  EXPECT_NEAR(train.std().at(0), 90, 2);
  EXPECT_NO_THROW(check_labels(Dataset::open(folder.path() / "train"), 10));
  const std::string text = inspect(folder.path());
  expect_contains(text, "2000 rows, 1.5 MiB, 1 shard, 125 chunks of 16 rows");
  expect_contains(text, "/features   u8 [1, 28, 28] a row, 0 … 255");
  expect_contains(text, "Ankle boot");
  EXPECT_LT(text.find("/train"), text.find("/test"));
}

}  // namespace
}  // namespace lockstep
