#include "data/dataset.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "data/hdf5.hpp"
#include "data/sample_data.hpp"
#include "formats/inspect.hpp"

namespace lockstep {
namespace {

using testing::expect_contains;
using testing::flip_bit_of_row;
using testing::make_dataset;
using testing::message_of;
using testing::sample_label;
using testing::sample_value;
using testing::TemporaryFolder;

TEST(Dataset, RowsComeBackFromSeveralShards) {
  const TemporaryFolder folder;
  const Dataset data = make_dataset(folder.path() / "d", 1501,
                                    {.class_names = {"a", "b"}, .mean = {1, 2}, .std = {3, 4}, .chunk_rows = 40, .rows_per_shard = 500});
  EXPECT_EQ(data.rows(), 1501);
  EXPECT_EQ(data.shards(), 3);  // 520 + 520 + 461 rows: whole chunks
  EXPECT_EQ(data.chunks().size(), 13U + 13U + 12U);
  EXPECT_EQ(data.class_names(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(data.mean(), (std::vector<double>{1, 2}));
  EXPECT_EQ(data.std(), (std::vector<double>{3, 4}));
  EXPECT_EQ(data.field("features").sample, Shape({2, 3}));
  EXPECT_EQ(data.field("labels").dtype, DType::i32);
  std::int64_t row = 0;
  for (std::size_t c = 0; c < data.chunks().size(); ++c) {
    const Chunk chunk = data.read_chunk(c);
    for (std::int64_t i = 0; i < data.chunks()[c].rows; ++i, ++row) {
      for (std::int64_t j = 0; j < 6; ++j) {
        ASSERT_EQ(std::to_integer<int>(chunk.fields[data.field_index("features")][i * 6 + j]), sample_value(row, j));
      }
      std::int32_t label = 0;
      std::memcpy(&label, chunk.fields[data.field_index("labels")].data() + 4 * i, 4);
      ASSERT_EQ(label, sample_label(row));
    }
  }
  EXPECT_EQ(row, 1501);
  EXPECT_EQ(data.bytes(), 1501U * (6 + 4));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "d.part"));
}

TEST(Dataset, ChecksumDependsOnContentAndStatistics) {
  const TemporaryFolder folder;
  const auto a = make_dataset(folder.path() / "a", 50, {.mean = {1}, .std = {1}}).checksum();
  EXPECT_EQ(make_dataset(folder.path() / "b", 50, {.mean = {1}, .std = {1}}).checksum(), a);
  EXPECT_NE(make_dataset(folder.path() / "c", 51, {.mean = {1}, .std = {1}}).checksum(), a);
  EXPECT_NE(make_dataset(folder.path() / "d", 50, {.mean = {1.0000001}, .std = {1}}).checksum(), a);
}

TEST(Dataset, DamagedRowsAreNamed) {
  const TemporaryFolder folder;
  const Dataset data = make_dataset(folder.path() / "d", 400, {.chunk_rows = 16, .rows_per_shard = 208});
  flip_bit_of_row(folder.path() / "d" / "shard-00001.h5", 208 + 20);
  const std::string message = message_of([&] {
    for (std::size_t c = 0; c < data.chunks().size(); ++c) {
      static_cast<void>(data.read_chunk(c));
    }
  });
  EXPECT_TRUE(
      message.starts_with("shard-00001.h5: rows 16..31 of /features do not match their checksum; the file is damaged.\n  Copy it again"))
      << message;
  EXPECT_NO_THROW(static_cast<void>(data.read_chunk(0)));
}

TEST(Dataset, MissingAndForeignShardsAreNamed) {
  const TemporaryFolder folder;
  const auto d = folder.path() / "d";
  make_dataset(d, 400, {.chunk_rows = 16, .rows_per_shard = 128});  // 4 shards
  std::filesystem::rename(d / "shard-00003.h5", folder.path() / "last");
  expect_contains(message_of([&] { Dataset::open(d); }), "says that it is shard 0 of 4, but the folder has 3");
  std::filesystem::rename(folder.path() / "last", d / "shard-00003.h5");
  std::filesystem::rename(d / "shard-00001.h5", folder.path() / "second");
  expect_contains(message_of([&] { Dataset::open(d); }), "shard-00001.h5 is missing");
  make_dataset(folder.path() / "other", 400, {.mean = {9}, .std = {1}, .chunk_rows = 16, .rows_per_shard = 128});
  std::filesystem::copy_file(folder.path() / "other" / "shard-00001.h5", d / "shard-00001.h5");
  expect_contains(message_of([&] { Dataset::open(d); }), "shards of different datasets");
  expect_contains(message_of([&] { Dataset::open(folder.path() / "absent"); }), "there is no such folder");
  expect_contains(message_of([&] { Dataset::open(folder.path()); }), "is not a dataset");
}

TEST(Dataset, ShardsOfWrongFormAreRefused) {
  const TemporaryFolder folder;
  const auto write = [&](std::int64_t format, std::int64_t labels, std::int64_t chunk_rows) {
    Hdf5File file = Hdf5File::create(folder.path() / "shard-00000.h5");
    file.create_dataset("/features", DType::f32, {8, 2}, 4);
    file.create_dataset("/labels", DType::i32, {labels}, chunk_rows);
    for (const auto& [name, value] :
         {std::pair{"lockstep_format", format}, {"rows", std::int64_t{8}}, {"shard", std::int64_t{0}}, {"shards", std::int64_t{1}}}) {
      file.set_attribute(name, value);
    }
    file.set_attribute("checksum", "");
    file.set_attribute("classes", std::vector<std::string>{});
    file.set_attribute("mean", std::vector<double>{});
    file.set_attribute("std", std::vector<double>{});
    file.close();
  };
  write(1, 8, 4);
  EXPECT_EQ(Dataset::open(folder.path()).rows(), 8);
  write(2, 8, 4);
  expect_contains(message_of([&] { Dataset::open(folder.path()); }), "has format 2, but this program reads format 1");
  write(1, 7, 4);
  expect_contains(message_of([&] { Dataset::open(folder.path()); }), "/labels has 7 rows, but the shard says 8");
  write(1, 8, 2);
  expect_contains(message_of([&] { Dataset::open(folder.path()); }), "/labels is in chunks of 2 rows");
  write(1, 8, 0);
  expect_contains(message_of([&] { Dataset::open(folder.path()); }), "/labels is contiguous");
}

TEST(Dataset, LabelOutOfRangeIsNamed) {
  const TemporaryFolder folder;
  const Dataset data = make_dataset(folder.path() / "d", 300, {.chunk_rows = 16, .rows_per_shard = 160});
  EXPECT_NO_THROW(check_labels(data, 300));
  expect_contains(
      message_of([&] { check_labels(data, 170); }),
      "/labels holds the class 170 in row 10 of shard-00001.h5, but the model has 170 outputs (0..169).\n  Give --classes 171, or look");
}

TEST(Dataset, ARowMayHaveSeveralLabels) {
  const TemporaryFolder folder;
  std::vector<std::int32_t> tokens(20 * 3);
  tokens[17 * 3 + 2] = 9;
  DatasetWriter writer(folder.path() / "d", {{"features", {3}, DType::i32}, {"labels", {3}, DType::i32}}, 20, {.chunk_rows = 8});
  const std::vector<std::span<const std::byte>> values(2, std::as_bytes(std::span(tokens)));
  writer.append(values);
  writer.close();
  const Dataset data = Dataset::open(folder.path() / "d");
  EXPECT_NO_THROW(check_labels(data, 10));
  expect_contains(message_of([&] { check_labels(data, 9); }), "/labels holds the class 9 in row 17 of shard-00000.h5");
}

TEST(Dataset, WriterLeavesNothingHalfDone) {
  const TemporaryFolder folder;
  const std::vector<float> values(5);
  const std::vector<std::span<const std::byte>> rows{std::as_bytes(std::span(values))};
  {
    DatasetWriter writer(folder.path() / "d", {{"x", {}, DType::f32}}, 6, {});
    writer.append(rows);
    expect_contains(message_of([&] { writer.close(); }), "6 rows were announced, but 5 appended");
    expect_contains(message_of([&] { writer.append(rows); }), "more than the announced 6 rows");
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  make_dataset(folder.path() / "d", 3, {});
  expect_contains(message_of([&] { make_dataset(folder.path() / "d", 3, {}); }), "already holds something");
}

TEST(Dataset, AutomaticChunksAreManyButNotTiny) {
  EXPECT_EQ(auto_chunk_rows(60000, 788), 93);           // 646 chunks
  EXPECT_EQ(auto_chunk_rows(2000, 788), 16);            // too few rows for 640
  EXPECT_EQ(auto_chunk_rows(10'000'000, 788), 166);     // 128 KiB
  EXPECT_EQ(auto_chunk_rows(10'000'000, 600'000), 16);  // large samples
}

TEST(SplitRows, LastRowsValidate) {
  const Split split = split_rows(1000, 101, 0.1);
  EXPECT_EQ(split.train.first, 0);
  EXPECT_EQ(split.train.rows, 90);
  EXPECT_EQ(split.validation.first, 90);
  EXPECT_EQ(split.validation.rows, 11);
  EXPECT_EQ(split_rows(1000, 5000, 0).train.rows, 1000);
  EXPECT_EQ(split_rows(1000, 0, 0).validation.rows, 0);
  EXPECT_THROW(static_cast<void>(split_rows(1, 0, 0.5)), UsageError);
  EXPECT_THROW(static_cast<void>(split_rows(10, 0, 1)), UsageError);
  EXPECT_THROW(static_cast<void>(split_rows(10, 0, -0.1)), UsageError);
}

TEST(Inspect, TellsClassesAndTroubles) {
  const TemporaryFolder folder;
  std::vector<float> features(200, 1.0F);
  std::vector<std::int32_t> labels(200, 1);
  features[150] = std::numeric_limits<float>::quiet_NaN();
  features[3] = -2;
  labels[7] = 5;
  for (const char* part : {"train", "test"}) {
    DatasetWriter writer(folder.path() / part, {{"features", {}, DType::f32}, {"labels", {}, DType::i32}}, 200,
                         {.class_names = {"cat", "dog"}});
    writer.append(std::vector<std::span<const std::byte>>{std::as_bytes(std::span(features)), std::as_bytes(std::span(labels))});
    writer.close();
  }
  const std::string text = inspect(folder.path());
  expect_contains(text, "train\n  200 rows");
  expect_contains(text, "test\n  200 rows");
  expect_contains(text, "-2 … 1, mean");
  expect_contains(text, "dog                     199 rows   99.5 %");
  expect_contains(text,
                  "! /features holds 1 values that are NaN or infinite, the first in row 150 of shard-00000.h5. Training would "
                  "diverge. Mend it: run the lockstep import that made it again, with --missing drop and another --out.");
  expect_contains(text,
                  "! /labels holds the class 5 in 1 rows, but there are 2 class names (0..1). Run the lockstep import that made it again, "
                  "with a name for each");
  EXPECT_EQ(text.find("does not match its checksum"), std::string::npos);
}

TEST(Inspect, JudgesTheNumberOfChunks) {
  const std::size_t large = std::size_t{1} << 30;
  const auto few = chunk_verdict(79, 100000, large).value();
  expect_contains(few.trouble, "79 chunks are fewer than 10 for each of 8 lanes");
  expect_contains(few.trouble, "Train with at most 7 lanes.");
  EXPECT_EQ(few.chunk_rows, 1250);
  expect_contains(chunk_verdict(639, 100000, large).value().trouble, "fewer than 10 for each of 64 lanes");
  EXPECT_FALSE(chunk_verdict(640, 100000, large).has_value());
  EXPECT_FALSE(chunk_verdict(5, 100000, 1 << 20).has_value());
}

}  // namespace
}  // namespace lockstep
