#include "data/reader.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "data/sample_data.hpp"

namespace lockstep {
namespace {

using testing::expect_contains;
using testing::flip_bit_of_row;
using testing::make_dataset;
using testing::message_of;
using testing::sample_value;
using testing::TemporaryFolder;

/// Null where there is no such field.
template <class T>
const T* field_of(const BatchReader& reader, const LaneBatch& lane, std::string_view name) {
  const auto found = std::ranges::find(reader.fields(), name, &Field::name);
  return found == reader.fields().end() ? nullptr : reinterpret_cast<const T*>(lane.fields.at(found - reader.fields().begin()));
}

/// The rows that each lane gets in each step of an epoch, read by `workers` workers with a cache each; checks every value on the way.
std::map<std::pair<std::int64_t, int>, std::vector<std::int64_t>> read_epoch(const Dataset& data, const StepTable& table,
                                                                             ReaderOptions options, int workers, std::size_t budget,
                                                                             std::uint64_t* bytes = nullptr) {
  std::map<std::pair<std::int64_t, int>, std::vector<std::int64_t>> rows;
  options.end_epoch = options.epoch + 1;
  for (int worker = 0; worker < workers; ++worker) {
    options.lane_begin = table.lanes() * worker / workers;
    options.lane_end = table.lanes() * (worker + 1) / workers;
    const auto cache = std::make_shared<ChunkCache>(data, budget);
    BatchReader reader(cache, table, options);
    for (std::int64_t step = 0; step < table.steps(); ++step) {
      const StepBatch& batch = reader.next();
      EXPECT_EQ(batch.step, step);
      EXPECT_EQ(batch.samples, table.samples(step));
      for (const LaneBatch& lane : batch.lanes) {
        const auto* const features = field_of<float>(reader, lane, "features");
        const auto* const labels = field_of<std::int32_t>(reader, lane, "labels");
        EXPECT_EQ(lane.samples, table.lane_samples(step, lane.lane));
        EXPECT_EQ(lane.first_row, table.first_row(step, lane.lane));
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(features) % 64, 0U);
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(labels) % 64, 0U);
        for (std::int64_t i = 0; i < lane.samples; ++i) {
          const std::int64_t row = labels[i];  // as sample_label makes them
          for (std::int64_t j = 0; j < 6; ++j) {
            const float mean = j < 3 ? 10.0F : 20.0F;
            const float deviation = j < 3 ? 2.0F : 3.0F;
            EXPECT_EQ(features[i * 6 + j], (static_cast<float>(sample_value(row, j)) - mean) / deviation);
          }
          rows[{step, lane.lane}].push_back(row);
        }
      }
      reader.release();
    }
    if (bytes != nullptr) {
      *bytes += cache->bytes_read();
    }
  }
  return rows;
}

DatasetOptions usual() { return {.mean = {10, 20}, .std = {2, 3}, .chunk_rows = 16, .rows_per_shard = 320}; }

TEST(BatchReader, EverySampleOnceWithItsValuesWhateverTheWorkers) {
  const TemporaryFolder folder;
  const Dataset data = make_dataset(folder.path() / "d", 1501, usual());
  const RowRange range{5, 1490};  // a part that begins and ends inside chunks
  const StepTable table(range.rows, 100, 8);
  for (const OrderKind kind : {OrderKind::chunk, OrderKind::sample, OrderKind::sequential}) {
    const ReaderOptions options{.rows = range, .order = kind, .seed = 3, .epoch = 2};
    const auto one = read_epoch(data, table, options, 1, 1 << 20);
    std::vector<std::int64_t> all;
    for (const auto& [place, rows] : one) {
      all.insert(all.end(), rows.begin(), rows.end());
    }
    std::ranges::sort(all);
    ASSERT_EQ(all.size(), 1490U);
    for (std::size_t i = 0; i < all.size(); ++i) {
      ASSERT_EQ(all[i], range.first + static_cast<std::int64_t>(i));
    }
    for (const int workers : {2, 3, 8}) {
      EXPECT_EQ(read_epoch(data, table, options, workers, 0), one) << name_of(kind) << ", workers " << workers;
    }
  }
}

TEST(BatchReader, ReadsLittleMoreThanTheDatasetForEveryNumberOfWorkers) {
  const TemporaryFolder folder;
  const Dataset data = make_dataset(folder.path() / "d", 16 * 80 - 3, usual());  // 80 chunks for 8 lanes
  const StepTable table(data.rows(), 64, 8);
  for (const OrderKind kind : {OrderKind::chunk, OrderKind::sequential}) {
    for (const int workers : {1, 2, 4, 8}) {
      for (const std::size_t budget : {std::size_t{0}, std::size_t{1} << 20}) {
        std::uint64_t bytes = 0;
        read_epoch(data, table, {.rows = {0, data.rows()}, .order = kind, .seed = 1}, workers, budget, &bytes);
        EXPECT_GE(bytes, data.bytes());
        EXPECT_LE(static_cast<double>(bytes), 1.1 * static_cast<double>(data.bytes())) << name_of(kind) << ", workers " << workers;
      }
    }
  }
}

TEST(BatchReader, SampleOrderReadsOnceAndSaysWhatItHolds) {
  const TemporaryFolder folder;
  const Dataset data = make_dataset(folder.path() / "d", 500, usual());
  const StepTable table(500, 50, 4);
  const auto cache = std::make_shared<ChunkCache>(data, 100);
  BatchReader reader(cache, table, {.rows = {0, 500}, .order = OrderKind::sample, .lane_end = 4, .end_epoch = 3});
  for (std::int64_t step = 0; step < 3 * table.steps(); ++step) {
    EXPECT_EQ(reader.next().epoch, static_cast<std::uint64_t>(step / table.steps()));
    reader.release();
  }
  EXPECT_EQ(cache->bytes_read(), data.bytes());
  expect_contains(cache->note(), "this order of samples holds that much at once");
  EXPECT_GE(reader.wait_seconds(), 0);
  EXPECT_THROW(reader.next(), UsageError);
}

TEST(BatchReader, GoesOnFromAnyStep) {
  const TemporaryFolder folder;
  const Dataset data = make_dataset(folder.path() / "d", 300, usual());
  const StepTable table(300, 32, 4);
  const auto rows_from = [&](std::int64_t step, int count) {
    BatchReader reader(std::make_shared<ChunkCache>(data, 1 << 20), table,
                       {.rows = {0, 300}, .order = OrderKind::chunk, .seed = 9, .lane_end = 4, .epoch = 1, .step = step});
    std::vector<std::int64_t> rows;
    for (int i = 0; i < count; ++i) {
      const StepBatch& batch = reader.next();
      for (const LaneBatch& lane : batch.lanes) {
        const auto* const labels = field_of<std::int32_t>(reader, lane, "labels");
        rows.insert(rows.end(), labels, labels + lane.samples);
      }
      reader.release();
    }
    return rows;
  };
  const auto whole = rows_from(0, 15);  // 10 steps, and 5 of the next epoch
  const auto rest = rows_from(7, 8);
  ASSERT_LT(rest.size(), whole.size());
  EXPECT_TRUE(std::equal(rest.rbegin(), rest.rend(), whole.rbegin()));
}

TEST(BatchReader, DamageReachesTheConsumerAfterTheGoodSteps) {
  const TemporaryFolder folder;
  const Dataset data = make_dataset(folder.path() / "d", 300, usual());
  const auto shard = folder.path() / "d" / "shard-00000.h5";
  flip_bit_of_row(shard, 200);
  const StepTable table(300, 10, 1);
  BatchReader reader(std::make_shared<ChunkCache>(data, 0), table, {.rows = {0, 300}, .order = OrderKind::sequential});
  int steps = 0;
  const std::string message = message_of([&] {
    for (;; ++steps) {
      reader.next();
      reader.release();
    }
  });
  expect_contains(message, "rows 192..207 of /features do not match their checksum");
  EXPECT_GE(steps, 10);
  EXPECT_LE(steps, 20);
}

TEST(BatchReader, StopsAtOnceWhenNobodyReads) {
  const TemporaryFolder folder;
  const Dataset data = make_dataset(folder.path() / "d", 300, usual());
  const StepTable table(300, 10, 2);
  for (int i = 0; i < 20; ++i) {
    BatchReader reader(std::make_shared<ChunkCache>(data, 0), table, {.rows = {0, 300}, .order = OrderKind::chunk, .lane_end = 2});
    if (i % 2 == 1) {
      reader.next();
    }
  }
  const auto cache = std::make_shared<ChunkCache>(data, 0);
  EXPECT_THROW(BatchReader(cache, table, {.rows = {0, 299}}), UsageError);
  EXPECT_THROW(BatchReader(cache, table, {.rows = {1, 300}}), UsageError);
  EXPECT_THROW(BatchReader(cache, table, {.rows = {0, 300}, .lane_end = 3}), UsageError);
}

TEST(BatchReader, EmptyLanesAndOtherFields) {
  const TemporaryFolder folder;
  const std::vector<float> target{1, 2, 3};
  DatasetWriter writer(folder.path() / "d", {{"target", {}, DType::f32}}, 3, {});
  writer.append(std::vector<std::span<const std::byte>>{std::as_bytes(std::span(target))});
  writer.close();
  const Dataset data = Dataset::open(folder.path() / "d");
  const StepTable table(3, 2, 8);
  BatchReader reader(std::make_shared<ChunkCache>(data, 0), table, {.rows = {0, 3}, .lane_end = 8, .end_epoch = 1});
  ASSERT_EQ(reader.fields().size(), 1U);
  std::vector<float> seen;
  for (std::int64_t step = 0; step < table.steps(); ++step) {
    const StepBatch& batch = reader.next();
    for (const LaneBatch& lane : batch.lanes) {
      ASSERT_EQ(lane.fields.size(), 1U);
      const auto* const values = reinterpret_cast<const float*>(lane.fields[0]);
      seen.insert(seen.end(), values, values + lane.samples);
    }
    reader.release();
  }
  std::ranges::sort(seen);
  EXPECT_EQ(seen, target);
}

}  // namespace
}  // namespace lockstep
