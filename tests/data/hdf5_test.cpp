#include "data/hdf5.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <numeric>
#include <thread>

#include "data/sample_data.hpp"
#include "data/sha256.hpp"

namespace lockstep {
namespace {

using testing::expect_contains;
using testing::message_of;
using testing::TemporaryFolder;

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

TEST(Sha256, KnownDigests) {
  EXPECT_EQ(sha256_hex({}), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_hex(bytes_of("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(bytes_of("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  EXPECT_EQ(sha256_hex(bytes_of(std::string(1000000, 'a'))), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256, PiecesOfAnyLengthGiveTheSameDigest) {
  const std::string text(1000, 'x');
  for (const std::size_t piece : {1, 3, 55, 56, 63, 64, 65, 127, 999}) {
    Sha256 hash;
    for (std::size_t i = 0; i < text.size(); i += piece) {
      hash.update(std::string_view(text).substr(i, piece));
    }
    EXPECT_EQ(hash.finish_hex(), sha256_hex(bytes_of(text))) << piece;
  }
}

TEST(Hdf5, WholeDatasetsOfEveryKindComeBack) {
  const TemporaryFolder folder;
  const std::vector<float> floats{0.1F, -0.0F, std::numeric_limits<float>::infinity(), 4, 5, 6};
  const std::vector<std::int32_t> ints{-1, 2};
  const std::vector<std::uint8_t> small{255, 0, 3};
  {
    Hdf5File file = Hdf5File::create(folder.path() / "all.h5");
    file.write<float>("/floats", {3, 2}, floats, 2);
    file.write<std::int32_t>("/a/deep/group/ints", {2, 1}, ints);
    file.write<std::int32_t>("/ints", {2}, ints);
    file.write<std::uint8_t>("/small", {3}, small);
    file.write<float>("/scalar", {}, std::vector<float>{42});
    file.write<float>("/empty", {0, 4}, {}, 16);
    file.close();
  }
  const Hdf5File file = Hdf5File::open(folder.path() / "all.h5");
  EXPECT_EQ(file.read<float>("/floats"), floats);
  EXPECT_EQ(file.read<std::int32_t>("/a/deep/group/ints"), ints);
  EXPECT_EQ(file.read<std::int32_t>("/ints"), ints);
  EXPECT_EQ(file.read<std::uint8_t>("/small"), small);
  EXPECT_EQ(file.read<float>("/scalar"), std::vector<float>{42});
  EXPECT_TRUE(file.read<float>("/empty").empty());
  EXPECT_EQ(file.datasets(), (std::vector<std::string>{"/a/deep/group/ints", "/empty", "/floats", "/ints", "/scalar", "/small"}));
  const Hdf5Storage stored = file.storage("/floats");
  EXPECT_EQ(stored.dims, (std::vector<std::int64_t>{3, 2}));
  EXPECT_EQ(stored.type.dtype(), DType::f32);
  EXPECT_EQ(stored.chunk, (std::vector<std::int64_t>{2, 2}));
  EXPECT_TRUE(file.storage("/ints").chunk.empty());
}

TEST(Hdf5, RowsAreReadAndWrittenInPlace) {
  Hdf5File file = Hdf5File::create_in_memory();
  file.create_dataset("/x", DType::i32, {10, 3}, 4);
  std::vector<std::int32_t> all(30);
  std::iota(all.begin(), all.end(), 0);
  file.write_rows("/x", DType::i32, 0, 7, std::as_bytes(std::span(all).first(21)));
  file.write_rows("/x", DType::i32, 7, 3, std::as_bytes(std::span(all).subspan(21)));
  std::vector<std::int32_t> some(6);
  file.read_rows("/x", DType::i32, 3, 2, std::as_writable_bytes(std::span(some)));
  EXPECT_EQ(some, (std::vector<std::int32_t>{9, 10, 11, 12, 13, 14}));
  EXPECT_THROW(file.read_rows("/x", DType::i32, 9, 2, std::as_writable_bytes(std::span(some))), Hdf5Error);
  EXPECT_THROW(file.read_rows("/x", DType::f32, 3, 2, std::as_writable_bytes(std::span(some))), Hdf5Error);
  EXPECT_THROW(file.read_rows("/x", DType::i32, 3, 1, std::as_writable_bytes(std::span(some))), Hdf5Error);
}

TEST(Hdf5, AttributesComeBackAndAreReplaced) {
  Hdf5File file = Hdf5File::create_in_memory();
  file.set_attribute("text", "first");
  file.set_attribute("text", "zweiter Wert: λ");
  file.set_attribute("number", std::int64_t{-5});
  file.set_attribute("texts", std::vector<std::string>{"a", "", "long " + std::string(3000, 'x')});
  file.set_attribute("none", std::vector<std::string>{});
  file.set_attribute("reals", std::vector<double>{1, 2.5});
  EXPECT_EQ(file.text_attribute("text"), "zweiter Wert: λ");
  EXPECT_EQ(file.integer_attribute("number"), -5);
  EXPECT_EQ(file.texts_attribute("texts")[2].size(), 3005U);
  EXPECT_TRUE(file.texts_attribute("none").empty());
  EXPECT_EQ(file.reals_attribute("reals"), (std::vector<double>{1, 2.5}));
  EXPECT_FALSE(file.has_attribute("absent"));
  expect_contains(message_of([&] { static_cast<void>(file.integer_attribute("text")); }), "the attribute text is not an integer");
  expect_contains(message_of([&] { static_cast<void>(file.text_attribute("absent")); }), "has no attribute absent");
}

TEST(Hdf5, ImageInMemoryIsAFileAndTheSameEachTime) {
  const auto make = [] {
    Hdf5File file = Hdf5File::create_in_memory();
    file.write<float>("/x", {3}, std::vector<float>{1, 2, 3}, 2);
    file.set_attribute("unit", "m");
    return file.image();
  };
  const std::vector<std::byte> image = make();
  EXPECT_EQ(image, make());
  const TemporaryFolder folder;
  const auto* const first = reinterpret_cast<const char*>(image.data());
  testing::write_bytes(folder.path() / "x.h5", {first, first + image.size()});
  const Hdf5File a = Hdf5File::from_image(image, "one");
  const Hdf5File b = Hdf5File::from_image(image, "one");
  EXPECT_EQ(a.read<float>("/x"), (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(b.text_attribute("unit"), "m");
  EXPECT_EQ(Hdf5File::open(folder.path() / "x.h5").read<float>("/x"), (std::vector<float>{1, 2, 3}));
}

TEST(Hdf5, ErrorsNameTheFileAndTheObject) {
  const TemporaryFolder folder;
  testing::write_bytes(folder.path() / "text.h5", {'h', 'e', 'l', 'l', 'o'});
  expect_contains(message_of([&] { Hdf5File::open(folder.path() / "text.h5"); }), "text.h5: cannot be opened as an HDF5 file");
  expect_contains(message_of([&] { Hdf5File::open(folder.path() / "absent.h5"); }), "absent.h5: there is no such file");
  expect_contains(message_of([&] { Hdf5File::create(folder.path() / "no" / "folder.h5"); }), "folder.h5: cannot be created");
  Hdf5File file = Hdf5File::create(folder.path() / "x.h5");
  file.write<float>("/x", {1}, std::vector<float>{1});
  expect_contains(message_of([&] { static_cast<void>(file.read<float>("/y")); }), "x.h5: holds no dataset /y");
  expect_contains(message_of([&] { static_cast<void>(file.read<std::int32_t>("/x")); }), "/x holds f32, but i32 is needed");
}

TEST(Hdf5, ThreadsMayShareFiles) {
  Hdf5File file = Hdf5File::create_in_memory();
  std::vector<std::int32_t> values(1000);
  std::iota(values.begin(), values.end(), 0);
  file.write<std::int32_t>("/x", {1000}, values, 10);
  std::vector<int> wrong(4, 0);
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          wrong[t] += file.read<std::int32_t>("/x") != values ? 1 : 0;
          try {
            static_cast<void>(file.read<float>("/absent"));
            ++wrong[t];
          } catch (const Hdf5Error&) {  // expected
          }
        }
      });
    }
  }
  EXPECT_EQ(wrong, std::vector<int>(4, 0));
}

}  // namespace
}  // namespace lockstep
