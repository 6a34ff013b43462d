// Datasets in HDF5 files that were made elsewhere.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "data/describe_data.hpp"
#include "data/raw_hdf5.hpp"
#include "data/reader.hpp"
#include "data/sample_data.hpp"
#include "formats/inspect.hpp"
#include "formats/row_source.hpp"
#include "formats/summary.hpp"

namespace lockstep {
namespace {

using testing::expect_contains;
using testing::message_of;
using testing::RawFile;
using testing::TemporaryFolder;

FieldSource input(const char* text) { return FieldSource::parse(text, Role::input); }
FieldSource target(const char* text) { return FieldSource::parse(text, Role::target); }

template <class T>
std::vector<T> values_of(const Dataset& data, std::string_view field) {
  std::vector<T> values;
  for (std::size_t c = 0; c < data.chunks().size(); ++c) {
    const std::vector<std::byte> bytes = data.read_field(c, data.field_index(field));
    values.resize(values.size() + bytes.size() / sizeof(T));
    std::memcpy(values.data() + values.size() - bytes.size() / sizeof(T), bytes.data(), bytes.size());
  }
  return values;
}

/// One file of two datasets, at x.h5.
struct OneFile {
  TemporaryFolder folder;
  std::filesystem::path path = folder.path() / "x.h5";
  Dataset open(std::vector<FieldSource> sources) const { return Dataset::open(DataFiles{{path}, std::move(sources)}); }
};

TEST(FieldSource, SaysNameAndWays) {
  const FieldSource source = input("image=/a/b:nhwc:raw");
  EXPECT_EQ(source.name, "image");
  EXPECT_EQ(source.path, "/a/b");
  EXPECT_TRUE(source.channels_last && source.raw && !source.one_hot);
  EXPECT_EQ(FieldSource::parse(source.text(), Role::input).text(), source.text());
  EXPECT_EQ(input("/x").name, "features");
  EXPECT_EQ(target("/y").name, "labels");
  expect_contains(message_of<UsageError>([] { static_cast<void>(input("/x:nwhc")); }), "there is no way 'nwhc' to take a field");
  EXPECT_THROW(static_cast<void>(input("=/x")), UsageError);
  EXPECT_THROW(static_cast<void>(target("/x:one-hot:real")), UsageError);
}

TEST(Elsewhere, EveryTypeOfNumber) {
  const OneFile one;
  const hid_t half = testing::half_type();
  const std::vector<std::pair<const char*, hid_t>> types{
      {"/f16", half},        {"/f32", H5T_IEEE_F32LE}, {"/f64", H5T_IEEE_F64LE}, {"/f32be", H5T_IEEE_F32BE}, {"/f64be", H5T_IEEE_F64BE},
      {"/i8", H5T_STD_I8LE}, {"/i16", H5T_STD_I16BE},  {"/i32", H5T_STD_I32LE},  {"/i64", H5T_STD_I64LE},    {"/i64be", H5T_STD_I64BE},
      {"/u8", H5T_STD_U8LE}, {"/u16", H5T_STD_U16LE},  {"/u32", H5T_STD_U32BE},  {"/u64", H5T_STD_U64LE}};
  const std::vector<double> stored{0, 1, 2, 100, 7, 3};
  {
    RawFile file(one.path);
    for (const auto& [path, type] : types) {
      file.add(path, type, {6}, stored);
    }
    file.add_bool("/bool", {0, 1, 1, 0, 1, 0});
  }
  H5Tclose(half);
  for (const auto& [path, type] : types) {
    const Dataset real = one.open({input((std::string(path) + ":real").c_str())});
    EXPECT_EQ(values_of<float>(real, "features"), std::vector<float>(stored.begin(), stored.end())) << path;
    const Dataset whole = one.open({input((std::string(path) + ":index").c_str())});
    EXPECT_EQ(values_of<std::int32_t>(whole, "features"), std::vector<std::int32_t>(stored.begin(), stored.end())) << path;
  }
  const Dataset flags = one.open({input("/bool"), target("/bool")});
  EXPECT_EQ(flags.field("features").dtype, DType::u8);
  EXPECT_EQ(values_of<std::uint8_t>(flags, "features"), (std::vector<std::uint8_t>{0, 1, 1, 0, 1, 0}));
  EXPECT_EQ(values_of<std::int32_t>(flags, "labels"), (std::vector<std::int32_t>{0, 1, 1, 0, 1, 0}));
  EXPECT_EQ(one.open({input("/u8")}).field("features").dtype, DType::u8);
  EXPECT_EQ(one.open({input("/i64")}).field("features").dtype, DType::f32);
  EXPECT_EQ(one.open({input("/i64"), target("/f64")}).field("labels").dtype, DType::f32);
}

TEST(Elsewhere, LabelsOfEveryForm) {
  const OneFile one;
  {
    RawFile file(one.path);
    file.add("/column", H5T_STD_I64LE, {3, 1}, {2, 0, 1});
    file.add("/one_hot", H5T_IEEE_F64LE, {3, 3}, {0, 0, 1, 1, 0, 0, 0, 1, 0});
    file.add("/wrong", H5T_STD_U8LE, {3, 2}, {0, 1, 1, 1, 1, 0});
    file.add("/huge", H5T_STD_I64LE, {3}, {0, 5e9, 1});
    file.add("/half", H5T_IEEE_F64LE, {3}, {0, 1.5, 1});
    file.add("/nan", H5T_IEEE_F32LE, {3}, {0, NAN, 1});
    file.add("/x", H5T_IEEE_F32LE, {3, 4}, std::vector<double>(12, 1.0));
  }
  const std::vector<std::int32_t> classes{2, 0, 1};
  for (const char* path : {"/column", "/one_hot:one-hot", "/column:index"}) {
    const Dataset data = one.open({input("/x"), target(path)});
    EXPECT_EQ(data.field("labels").sample, Shape()) << path;
    EXPECT_EQ(values_of<std::int32_t>(data, "labels"), classes) << path;
  }
  const auto refusal = [&](const char* path) { return message_of([&] { one.open({input("/x"), target(path)}); }); };
  expect_contains(refusal("/wrong:one-hot"), "x.h5: row 1 of /wrong is not one 1 among zeros");
  expect_contains(refusal("/huge"), "rows 0..2 of /huge hold a value that is no whole number of -2147483648..2147483647");
  expect_contains(refusal("/half:index"), "hold a value that is no whole number");
  expect_contains(refusal("/nan:index"), "hold a value that is no whole number");
  expect_contains(message_of([&] {
                    return one.open({input("/x"), target("/column:one-hot:raw")}).read_chunk(0);
                  }),
                  "is not one 1 among zeros");
  expect_contains(message_of([&] { one.open({input("/x:nhwc")}); }), "rows are [4], but :nhwc is for rows [height, width, channels]");
}

TEST(Elsewhere, ChannelsComeFirst) {
  const OneFile one;
  std::vector<double> pixels(2 * 3 * 4 * 2);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = static_cast<double>(i);
  }
  {
    RawFile file(one.path);
    file.add("/u8", H5T_STD_U8LE, {2, 3, 4, 2}, pixels);
    file.add("/f64", H5T_IEEE_F64BE, {2, 3, 4, 2}, pixels);
  }
  const Dataset data = one.open({input("a=/u8:nhwc"), input("b=/f64:nhwc")});
  EXPECT_EQ(data.field("a").sample, Shape({2, 3, 4}));
  const auto bytes = values_of<std::uint8_t>(data, "a");
  const auto floats = values_of<float>(data, "b");
  for (std::size_t n = 0; n < 2; ++n) {
    for (std::size_t c = 0; c < 2; ++c) {
      for (std::size_t p = 0; p < 12; ++p) {
        ASSERT_EQ(bytes.at((n * 2 + c) * 12 + p), pixels.at((n * 12 + p) * 2 + c));
        ASSERT_EQ(floats.at((n * 2 + c) * 12 + p), pixels.at((n * 12 + p) * 2 + c));
      }
    }
  }
}

/// 1,501 rows: two numbers and a label, which is the row's number, so that every row can be told apart.
constexpr hsize_t kRows = 1501;
std::vector<double> feature_values() {
  std::vector<double> values;
  for (std::int64_t row = 0; row < static_cast<std::int64_t>(kRows); ++row) {
    values.push_back(static_cast<double>(row % 7) + 0.5);
    values.push_back(1e6 + static_cast<double>(row));
  }
  return values;
}
std::vector<double> row_numbers() {
  std::vector<double> values(kRows);
  for (std::size_t row = 0; row < kRows; ++row) {
    values[row] = static_cast<double>(row);
  }
  return values;
}

void add_rows(RawFile& file) {
  file.add("/x", H5T_IEEE_F64LE, {kRows, 2}, feature_values());
  file.add("/y", H5T_STD_I64LE, {kRows}, row_numbers());
}

/// The labels that each lane gets in each step of two epochs, read by `workers` workers; checks the features on the way.
std::map<std::pair<std::int64_t, int>, std::vector<std::int32_t>> read_epochs(const Dataset& data, int workers,
                                                                              std::uint64_t* bytes = nullptr) {
  std::map<std::pair<std::int64_t, int>, std::vector<std::int32_t>> labels;
  const StepTable table(data.rows(), 100, 8);
  for (int worker = 0; worker < workers; ++worker) {
    const auto cache = std::make_shared<ChunkCache>(data, 0);
    BatchReader reader(cache, table,
                       {.rows = {0, data.rows()},
                        .order = OrderKind::chunk,
                        .seed = 3,
                        .lane_begin = 8 * worker / workers,
                        .lane_end = 8 * (worker + 1) / workers,
                        .end_epoch = 2});
    for (std::int64_t step = 0; step < 2 * table.steps(); ++step) {
      const StepBatch& batch = reader.next();
      for (const LaneBatch& lane : batch.lanes) {
        const auto* const x = reinterpret_cast<const float*>(lane.fields.at(0));
        const auto* const y = reinterpret_cast<const std::int32_t*>(lane.fields.at(1));
        for (std::int64_t i = 0; i < lane.samples; ++i) {
          const auto mean = static_cast<float>(data.mean().at(1));
          const auto deviation = static_cast<float>(data.std().at(1));
          EXPECT_EQ(x[2 * i + 1], (1e6F + static_cast<float>(y[i]) - mean) / deviation);
        }
        auto& seen = labels[{step, lane.lane}];
        seen.insert(seen.end(), y, y + lane.samples);
      }
      reader.release();
    }
    if (bytes != nullptr) {
      *bytes += cache->bytes_read();
    }
  }
  return labels;
}

Dataset measured(std::vector<std::filesystem::path> paths) {
  DataFiles files{std::move(paths), {input("/x"), target("/y")}};
  measure(files);
  return Dataset::open(files);
}

TEST(Elsewhere, EveryLayoutHoldsTheSameRows) {
  const TemporaryFolder folder;
  const auto make = [&](const char* name, const auto& prepare) {
    RawFile file(folder.path() / name);
    prepare(file);
    add_rows(file);
  };
  make("contiguous.h5", [](RawFile&) {});
  const auto chunked = [&](const char* name, hsize_t rows, hsize_t columns, bool gzip) {
    RawFile file(folder.path() / name);
    file.chunks({rows, columns}, gzip);
    file.add("/x", H5T_IEEE_F64LE, {kRows, 2}, feature_values());
    file.chunks({rows}, gzip);
    file.add("/y", H5T_STD_I64LE, {kRows}, row_numbers());
  };
  chunked("giant.h5", kRows, 2, false);
  chunked("giant_gzip.h5", kRows, 2, true);
  chunked("gzip.h5", 64, 1, true);
  const Dataset plain = measured({folder.path() / "contiguous.h5"});
  EXPECT_EQ(plain.rows(), 1501);
  EXPECT_NEAR(plain.mean().at(1), 1e6 + 750, 1e-6);
  EXPECT_NEAR(plain.std().at(1), std::sqrt((1501.0 * 1501 - 1) / 12), 1e-6);  // large offsets cost no digits
  const auto wanted = values_of<float>(plain, "features");
  for (const char* name : {"giant.h5", "giant_gzip.h5", "gzip.h5"}) {
    const Dataset data = measured({folder.path() / name});
    EXPECT_EQ(values_of<float>(data, "features"), wanted) << name;
    EXPECT_EQ(data.statistics("features"), plain.statistics("features")) << name;
  }
}

TEST(Elsewhere, StreamsAreTheSameForAnyNumberOfWorkersAndReadOnce) {
  const TemporaryFolder folder;
  {
    RawFile file(folder.path() / "a.h5");
    add_rows(file);
  }
  const Dataset data = measured({folder.path() / "a.h5"});
  ASSERT_GE(data.chunks().size(), 80U);
  const auto one = read_epochs(data, 1);
  std::vector<std::int32_t> all;
  for (const auto& [place, labels] : one) {
    all.insert(all.end(), labels.begin(), labels.end());
  }
  std::ranges::sort(all);
  ASSERT_EQ(all.size(), 2 * kRows);
  for (std::size_t i = 0; i < all.size(); ++i) {
    ASSERT_EQ(all[i], static_cast<std::int32_t>(i / 2));
  }
  for (const int workers : {2, 3, 8}) {
    std::uint64_t bytes = 0;
    EXPECT_EQ(read_epochs(data, workers, &bytes), one) << workers;
    EXPECT_LE(static_cast<double>(bytes), 1.1 * 2 * static_cast<double>(data.bytes())) << workers;
  }
}

TEST(Elsewhere, PackedChunksAreReadWhole) {
  const OneFile one;
  {
    RawFile file(one.path);
    file.chunks({1000, 64}, true);  // 250 KiB
    file.add("/x", H5T_IEEE_F32LE, {4000, 64}, std::vector<double>(4000 * 64, 1.0));
    file.chunks({4000, 64}, false);  // 1000 KiB: HDF5 would read it whole
    file.add("/cached", H5T_IEEE_F32LE, {4000, 64}, std::vector<double>(4000 * 64, 1.0));
    file.plain();
    file.add("/plain", H5T_IEEE_F32LE, {4000, 64}, std::vector<double>(4000 * 64, 1.0));
  }
  EXPECT_EQ(one.open({input("/x")}).chunks().size(), 4U);
  EXPECT_EQ(one.open({input("/cached")}).chunks().size(), 1U);
  EXPECT_GE(one.open({input("/plain")}).chunks().size(), 200U);
}

TEST(Elsewhere, SeveralFilesAreOneDataset) {
  const TemporaryFolder folder;
  const auto part = [&](const char* name, hsize_t rows, double first, std::vector<hsize_t> sample = {}) {
    std::vector<hsize_t> dims{rows};
    dims.insert(dims.end(), sample.begin(), sample.end());
    std::vector<double> values(rows * (sample.empty() ? 1 : sample[0]), first);
    RawFile file(folder.path() / name);
    file.add("/x", H5T_IEEE_F32LE, dims, values);
    file.add("/y", H5T_STD_I32LE, {rows}, std::vector<double>(rows, 0));
  };
  part("a.h5", 3, 1);
  part("b.h5", 2, 2);
  part("c.h5", 2, 2, {2});
  const std::vector<FieldSource> sources{input("/x"), target("/y")};
  const Dataset both = Dataset::open({{folder.path() / "a.h5", folder.path() / "b.h5"}, sources});
  EXPECT_EQ(values_of<float>(both, "features"), (std::vector<float>{1, 1, 1, 2, 2}));
  EXPECT_EQ(both.shards(), 2);
  EXPECT_NE(Dataset::open({{folder.path() / "b.h5", folder.path() / "a.h5"}, sources}).checksum(), both.checksum());
  expect_contains(message_of([&] {
                    Dataset::open({{folder.path() / "a.h5", folder.path() / "c.h5"}, sources});
                  }),
                  "c.h5: /x gives f32 [2] from [2], but in");
}

TEST(Elsewhere, VirtualDatasetsNeedTheirParts) {
  const TemporaryFolder folder;
  {
    RawFile part(folder.path() / "part.h5");
    part.add("/x", H5T_IEEE_F32LE, {4}, {1, 2, 3, 4});
  }
  {
    RawFile file(folder.path() / "whole.h5");
    const hsize_t rows = 4;
    const hid_t space = H5Screate_simple(1, &rows, nullptr);
    ASSERT_GE(H5Pset_virtual(file.creation(), space, "part.h5", "/x", space), 0);
    const hid_t set = H5Dcreate2(file.id(), "/x", H5T_IEEE_F32LE, space, H5P_DEFAULT, file.creation(), H5P_DEFAULT);
    ASSERT_GE(set, 0);
    H5Dclose(set);
    H5Sclose(space);
  }
  const DataFiles files{{folder.path() / "whole.h5"}, {input("/x")}};
  EXPECT_EQ(values_of<float>(Dataset::open(files), "features"), (std::vector<float>{1, 2, 3, 4}));
  std::filesystem::remove(folder.path() / "part.h5");
  expect_contains(message_of([&] { Dataset::open(files); }), "/x is virtual, and its part part.h5 is not there");
}

TEST(Elsewhere, AVirtualDatasetMayBeOfItsOwnFileButNotOfItself) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "whole.h5";
  {
    RawFile file(path);
    file.add("/x", H5T_IEEE_F32LE, {4}, {1, 2, 3, 4});
    const hsize_t rows = 4;
    const hid_t space = H5Screate_simple(1, &rows, nullptr);
    for (const auto& [name, of] :
         {std::pair{"/copy", "/x"}, {"/self", "/self"}, {"/named", "/named"}, {"/one", "/other"}, {"/other", "/one"}}) {
      const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
      ASSERT_GE(H5Pset_virtual(creation, space, std::string(of) == "/named" ? "whole.h5" : ".", of, space), 0);
      H5Dclose(H5Dcreate2(file.id(), name, H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT));
      H5Pclose(creation);
    }
    H5Sclose(space);
  }
  EXPECT_EQ(values_of<float>(Dataset::open(DataFiles{{path}, {input("/copy")}}), "features"), (std::vector<float>{1, 2, 3, 4}));
  for (const char* const name : {"/self", "/named", "/one"}) {
    expect_contains(message_of([&] {
                      Dataset::open(DataFiles{{path}, {input(name)}});
                    }),
                    std::string(name) + " is virtual, and a part of itself");
  }
}

TEST(Elsewhere, WhatCannotBeReadIsNamedWithItsCure) {
  const OneFile one;
  {
    RawFile file(one.path);
    file.chunks({3}, false);
    H5Pset_filter(file.creation(), 32000, H5Z_FLAG_OPTIONAL, 0, nullptr);
    file.add("/lzf", H5T_IEEE_F32LE, {3}, {1, 2, 3});
    file.plain();
    file.add("/x", H5T_IEEE_F32LE, {3}, {1, 2, 3});
    file.add("/longer", H5T_IEEE_F32LE, {4}, {1, 2, 3, 4});
  }
  const std::string lzf = message_of([&] { one.open({input("/lzf")}); });
  expect_contains(lzf, "x.h5: /lzf is packed with lzf, which this HDF5 cannot unpack");
  expect_contains(lzf, "python3 -c \"import h5py;");
  expect_contains(message_of([&] { one.open({input("/absent")}); }), "holds no dataset /absent; there are /longer, /lzf, /x");
  expect_contains(message_of([&] { one.open({input("/x"), target("/longer")}); }), "rows, but");
  expect_contains(message_of([&] { one.open({input("/x"), FieldSource::parse("/none", Role::weight)}); }), "holds no dataset /none");
  EXPECT_THROW(one.open({input("/x"), input("/longer")}), UsageError);
  expect_contains(inspect(one.path), "/lzf");
  expect_contains(inspect(one.path), "chunks of [3], lzf");
}

TEST(Elsewhere, StatisticsOfColumnsChannelsTargetsAndWeights) {
  const OneFile one;
  {
    RawFile file(one.path);
    file.add("/columns", H5T_IEEE_F64LE, {2, 3}, {0, 5, 2, 4, 5, 8});
    file.add("/image", H5T_STD_U8LE, {2, 1, 2, 2}, {0, 10, 2, 12, 0, 10, 2, 12});
    file.add("/y", H5T_IEEE_F32LE, {2, 1}, {10, 30});
    file.add("/w", H5T_IEEE_F32LE, {2}, {1, 3});
    file.add("/bad", H5T_IEEE_F32LE, {2}, {1, INFINITY});
    file.add("/negative", H5T_IEEE_F32LE, {2}, {-1, 2});
  }
  DataFiles files{
      {one.path},
      {input("/columns"), input("image=/image:nhwc"), input("as_is=/columns:raw"), target("/y"), FieldSource::parse("/w", Role::weight)}};
  measure(files);
  const Dataset data = Dataset::open(files);
  EXPECT_EQ(data.statistics("features"), (Statistics{{2, 5, 5}, {2, 1, 3}}));  // a constant column is only centred
  EXPECT_EQ(data.statistics("image"), (Statistics{{1, 11}, {1, 1}}));
  EXPECT_EQ(data.statistics("labels"), (Statistics{{20}, {10}}));
  EXPECT_EQ(data.statistics("weight"), (Statistics{{0}, {2}}));
  EXPECT_TRUE(data.statistics("as_is").mean.empty());
  BatchReader reader(std::make_shared<ChunkCache>(data, 0), StepTable(2, 2, 1), {.rows = {0, 2}, .end_epoch = 1});
  const StepBatch& batch = reader.next();
  const auto field = [&](std::string_view name) { return reinterpret_cast<const float*>(batch.lanes[0].fields[data.field_index(name)]); };
  EXPECT_EQ(field("features")[3], 1.0F);
  EXPECT_EQ(field("as_is")[3], 4.0F);
  EXPECT_EQ(field("labels")[1], 1.0F);
  EXPECT_EQ(field("weight")[0], 0.5F);
  // The description is enough to take other files in the same way.
  DataFiles like = files_like(nlohmann::ordered_json::parse(describe_data(data).dump()), {one.path});
  like.content = files.content;
  EXPECT_EQ(Dataset::open(like).checksum(), data.checksum());
  DataFiles bad{{one.path}, {input("/bad")}};
  expect_contains(message_of([&] { measure(bad); }), "/bad holds 1 values that are NaN or infinite, the first in row 1 of");
  DataFiles negative{{one.path}, {input("/columns"), FieldSource::parse("/negative", Role::weight)}};
  expect_contains(message_of([&] { measure(negative); }), "/negative: weights of samples are -1 … 2");
}

TEST(Elsewhere, ImportedTheyAreTheSameDataset) {
  const TemporaryFolder folder;
  {
    RawFile file(folder.path() / "a.h5");
    add_rows(file);
  }
  const Dataset direct = measured({folder.path() / "a.h5"});
  import_rows(rows_of(direct), {}, folder.path() / "out", {});
  const Dataset imported = Dataset::open(folder.path() / "out" / "train");
  EXPECT_EQ(imported.fields(), direct.fields());
  EXPECT_EQ(imported.statistics("features"), direct.statistics("features"));
  EXPECT_EQ(imported.chunks().size(), direct.chunks().size());
  EXPECT_EQ(read_epochs(imported, 2), read_epochs(direct, 3));
}

TEST(Elsewhere, InspectTellsStorageAndTheCommandThatMends) {
  const OneFile one;
  {
    RawFile file(one.path);
    file.chunks({20000, 64}, true);  // 5 MiB
    file.add("/x", H5T_IEEE_F32LE, {20000, 64}, std::vector<double>(20000 * 64, 1.5));
    file.chunks({1}, false);
    std::vector<double> labels(20000, 2);
    labels[7] = -1;
    file.add("/y", H5T_STD_I64LE, {20000}, labels);
  }
  const std::string text = inspect_dataset(one.open({input("/x"), target("/y")}), {.classes = 2, .data = "parts/*.h5,b.h5"});
  expect_contains(text, "features is /x: f32 [20000, 64], chunks of [20000, 64], gzip");
  expect_contains(text, "! /x lies in chunks of [20000, 64], gzip of 5000.0 KiB each: each must be unpacked whole");
  expect_contains(text, "! /y lies in chunks of [1] of 0.0 KiB each: reading so many small pieces is slow.");
  expect_contains(text, "Mend it with: lockstep import hdf5 --data 'parts/*.h5,b.h5' --input features=/x --target labels=/y --out DIR");
  expect_contains(text,
                  "! /labels holds the class -1 in 1 rows, but there are 2 classes (0..1). Classes count from 0: leave these rows out");
  expect_contains(text, "! /labels holds the class 2 in 19999 rows, but there are 2 classes (0..1). Give --classes 3");
  EXPECT_EQ(text.find("--missing drop"), std::string::npos);
}

TEST(Elsewhere, InspectTellsTheCommandThatLeavesOutNaN) {
  const OneFile one;
  {
    RawFile file(one.path);
    file.add("/x", H5T_IEEE_F32LE, {3}, {1, std::nan(""), 3});
    file.add("/y", H5T_STD_I64LE, {3}, {0, 1, 1});
  }
  const std::string text = inspect_dataset(one.open({input("/x"), target("/y")}), {});
  expect_contains(text, "! /features holds 1 values that are NaN or infinite, the first in row 1 of");
  expect_contains(text, "Mend it with: lockstep import hdf5 --data '" + one.path.string() +
                            "' --input features=/x --target labels=/y --missing drop --out DIR");
}

}  // namespace
}  // namespace lockstep
