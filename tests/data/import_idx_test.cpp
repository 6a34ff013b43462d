#include "data/import_idx.hpp"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cmath>
#include <cstring>

#include "data/inspect.hpp"
#include "data/sample_data.hpp"

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

/// Two images of 2 × 3 and their labels 1, 0.
struct TwoImages {
  TemporaryFolder folder;
  std::vector<char> images = idx({2, 2, 3}, {0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, static_cast<char>(255)});
  std::vector<char> labels = idx({2}, {1, 0});

  [[nodiscard]] std::filesystem::path at(const char* name) const { return folder.path() / name; }
  [[nodiscard]] std::string refusal() const {
    testing::write_bytes(at("images"), images);
    testing::write_bytes(at("labels"), labels);
    std::string message = message_of([&] { import_idx({.train = {at("images"), at("labels")}}, at("out")); });
    EXPECT_FALSE(std::filesystem::exists(at("out") / "train"));
    return message;
  }
};

TEST(ImportIdx, PlainAndGzipGiveTheSameDataset) {
  const TwoImages two;
  testing::write_bytes(two.at("images"), two.images);
  testing::write_bytes(two.at("labels"), two.labels);
  write_gz(two.at("images.gz"), two.images);
  write_gz(two.at("labels.gz"), two.labels);
  const ImportResult result = import_idx({.train = {two.at("images"), two.at("labels")},
                                          .test = IdxPair{two.at("images.gz"), two.at("labels.gz"), 1},
                                          .class_names = {"a", "b"}},
                                         two.at("plain"));
  import_idx({.train = {two.at("images.gz"), two.at("labels.gz")}, .class_names = {"a", "b"}}, two.at("gz"));
  EXPECT_EQ(result.train_rows, 2);
  EXPECT_EQ(result.test_rows, 1);
  EXPECT_DOUBLE_EQ(result.mean, 330.0 / 12);
  const Dataset train = Dataset::open(two.at("plain") / "train");
  EXPECT_EQ(Dataset::open(two.at("gz") / "train").checksum(), train.checksum());
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
  two.images = idx({0xFFFFFFFF, 30000, 30000}, std::vector<char>(100));  // 3.9 exabytes
  expect_contains(two.refusal(), "images: announces 4294967295 x 900000000 bytes, but ends after 100");
  two.images = idx({0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF}, std::vector<char>(100));
  expect_contains(two.refusal(), "which cannot be images or labels");
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
  expect_contains(message_of([&] {
                    import_idx({.train = {two.at("absent"), two.at("labels")}}, two.at("out"));
                  }),
                  "absent: there is no such file");
  testing::write_bytes(two.at("labels"), idx({2}, {0, 2}));
  expect_contains(message_of([&] {
                    import_idx({.train = {two.at("images"), two.at("labels")}, .class_names = {"a", "b"}}, two.at("out"));
                  }),
                  "holds the class 2 in row 1, but there are 2 class names (0..1)");
}

TEST(ImportIdx, DamagedGzipIsRefused) {
  const TwoImages two;
  std::vector<char> noise;
  for (std::uint32_t i = 0; i < 3000 * 6; ++i) {
    noise.push_back(static_cast<char>(i * i * 31 >> 3));
  }
  write_gz(two.at("images.gz"), idx({3000, 2, 3}, noise));
  testing::write_bytes(two.at("labels"), idx({3000}, std::vector<char>(3000)));
  const std::vector<char> whole = testing::file_bytes(two.at("images.gz"));
  const auto refusal = [&](std::vector<char> bytes) {
    testing::write_bytes(two.at("images.gz"), bytes);
    return message_of([&] { import_idx({.train = {two.at("images.gz"), two.at("labels")}}, two.at("out")); });
  };
  expect_contains(refusal({whole.begin(), whole.begin() + std::ssize(whole) / 2}), "is damaged or cut short");
  expect_contains(refusal({whole.begin(), whole.end() - 4}), "is damaged or cut short");
  std::vector<char> flipped = whole;
  flipped[flipped.size() - 7] = static_cast<char>(flipped[flipped.size() - 7] ^ 1);  // the stored CRC
  expect_contains(refusal(flipped), "is damaged or cut short");
}

TEST(ImportIdx, TheSmallRealSet) {
  const TemporaryFolder folder;
  const std::filesystem::path source = std::filesystem::path(LOCKSTEP_SOURCE_DIR) / "datasets/fashion-mnist-small-idx";
  const ImportResult result = import_idx({.train = {source / "train-images-idx3-ubyte.gz", source / "train-labels-idx1-ubyte.gz"},
                                          .test = IdxPair{source / "t10k-images-idx3-ubyte.gz", source / "t10k-labels-idx1-ubyte.gz"},
                                          .class_names = fashion_mnist_classes()},
                                         folder.path());
  EXPECT_EQ(result.train_rows, 2000);
  EXPECT_EQ(result.test_rows, 300);
  EXPECT_NEAR(result.mean, 73, 2);  // the whole set: 72.94 and 90.02
  EXPECT_NEAR(result.std, 90, 2);
  EXPECT_NO_THROW(check_labels(Dataset::open(folder.path() / "train"), 10));
  const std::string text = inspect(folder.path());
  expect_contains(text, "2000 rows, 1.5 MiB, 1 shard, 125 chunks of 16 rows");
  expect_contains(text, "/features   u8 [1, 28, 28] a row, 0 … 255");
  expect_contains(text, "Ankle boot");
  EXPECT_LT(text.find("/train"), text.find("/test"));
}

}  // namespace
}  // namespace lockstep
