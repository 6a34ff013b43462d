#include "data/order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <tuple>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr OrderKind kKinds[] = {OrderKind::chunk, OrderKind::sample, OrderKind::sequential};

/// Chunks of `rows` rows; the last one, and one in the middle, are shorter.
std::vector<std::int64_t> cut(std::int64_t samples, std::int64_t rows) {
  std::vector<std::int64_t> chunks;
  while (samples > 0) {
    chunks.push_back(std::min(samples, chunks.size() == 3 ? std::max<std::int64_t>(1, rows / 2) : rows));
    samples -= chunks.back();
  }
  return chunks;
}

/// The lane's sample at a position of its stream.
SamplePlace sample_at(const SampleOrder& order, int lane, std::int64_t position) {
  const SampleOrder::Window window = order.window_at(lane, position);
  return window.places.at(position - window.begin);
}

/// Every sample of an epoch as a row number, step by step, lane by lane.
std::vector<std::int64_t> whole_epoch(const SampleOrder& order, const StepTable& table, const std::vector<std::int64_t>& chunks) {
  std::vector<std::int64_t> begins(chunks.size() + 1, 0);
  std::partial_sum(chunks.begin(), chunks.end(), begins.begin() + 1);
  std::vector<std::int64_t> rows;
  for (std::int64_t step = 0; step < table.steps(); ++step) {
    for (int lane = 0; lane < table.lanes(); ++lane) {
      for (std::int64_t i = 0; i < table.lane_samples(step, lane); ++i) {
        const SamplePlace place = sample_at(order, lane, table.lane_begin(step, lane) + i);
        EXPECT_LT(place.row, chunks[place.chunk]);
        rows.push_back(begins[place.chunk] + place.row);
      }
    }
  }
  return rows;
}

bool each_once(std::vector<std::int64_t> rows, std::int64_t samples) {
  std::ranges::sort(rows);
  std::vector<std::int64_t> expected(samples);
  std::iota(expected.begin(), expected.end(), std::int64_t{0});
  return rows == expected;
}

void expect_sound(const StepTable& table, std::int64_t batch, int min_lane) {
  std::vector<std::int64_t> position(table.lanes(), 0);
  std::int64_t all = 0;
  for (std::int64_t step = 0; step < table.steps(); ++step) {
    std::int64_t in_step = 0;
    for (int lane = 0; lane < table.lanes(); ++lane) {
      const std::int64_t n = table.lane_samples(step, lane);
      ASSERT_EQ(table.lane_begin(step, lane), position[lane]);
      ASSERT_EQ(table.first_row(step, lane), in_step);
      ASSERT_TRUE(n == 0 || n >= min_lane) << n << " samples in lane " << lane << " of step " << step;
      ASSERT_LE(n, table.max_lane_samples());
      position[lane] += n;
      in_step += n;
    }
    ASSERT_EQ(in_step, table.samples(step));
    ASSERT_GT(in_step, 0);
    if (min_lane == 1) {
      ASSERT_EQ(in_step, step + 1 < table.steps() ? batch : table.samples() - step * batch);
    }
    all += in_step;
  }
  ASSERT_EQ(all, table.samples());
  for (int lane = 0; lane < table.lanes(); ++lane) {
    ASSERT_EQ(position[lane], table.stream_length(lane));
  }
}

TEST(StepTable, EverySampleInExactlyOneStepAndLane) {
  for (const std::int64_t samples : {1, 2, 3, 31, 32, 33, 63, 64, 65, 100, 127, 128, 1501}) {
    for (const std::int64_t batch : {1, 2, 7, 32, 64, 100}) {
      for (const int lanes : {1, 2, 3, 8, 64}) {
        SCOPED_TRACE(::testing::Message() << samples << " samples, batch " << batch << ", lanes " << lanes);
        expect_sound(StepTable(samples, batch, lanes), batch, 1);
        const std::int64_t used = std::min<std::int64_t>(lanes, std::max<std::int64_t>(1, samples / 2));
        if (samples >= 2 && batch >= std::min(samples, 2 * used)) {
          const StepTable table(samples, batch, lanes, 2);
          EXPECT_EQ(table.used_lanes(), used);
          EXPECT_LE(table.steps(), (samples + batch - 1) / batch);
          expect_sound(table, batch, 2);
        } else {
          EXPECT_THROW(StepTable(samples, batch, lanes, 2), UsageError);
        }
      }
    }
  }
}

TEST(StepTable, ShortLastStepIsSharedOutForBatchNorm) {
  const StepTable halves(64 + 3, 64, 4, 2);  // 3 samples are too few for 4 lanes of 2: 67 as 33 + 34
  EXPECT_EQ(halves.steps(), 2);
  EXPECT_EQ(halves.samples(0), 33);
  EXPECT_EQ(halves.samples(1), 34);
  const StepTable longer(2 * 8 + 3, 8, 4, 2);  // 11 samples cannot be two steps of 4 lanes of 2
  EXPECT_EQ(longer.steps(), 2);
  EXPECT_EQ(longer.samples(0), 8);
  EXPECT_EQ(longer.samples(1), 11);
  EXPECT_EQ(longer.max_lane_samples(), 3);
}

TEST(StepTable, StepsDoNotDependOnLanes) {
  for (const int lanes : {1, 2, 16, 64}) {
    const StepTable table(60000, 512, lanes);
    EXPECT_EQ(table.steps(), 118);
    EXPECT_EQ(table.samples(117), 60000 - 117 * 512);
  }
}

TEST(Permuted, IsAPermutationAndDependsOnTheKey) {
  for (const std::uint64_t n : {1, 2, 3, 4, 5, 17, 1024, 1501, 4097}) {
    std::set<std::uint64_t> seen;
    for (std::uint64_t i = 0; i < n; ++i) {
      EXPECT_LT(permuted(i, n, {1, 2}, 3), n);
      seen.insert(permuted(i, n, {1, 2}, 3));
    }
    EXPECT_EQ(seen.size(), n);
  }
  const auto a = [](std::uint64_t i) { return permuted(i, 100000, {1, 2}, 3); };
  const auto b = [](std::uint64_t i) { return permuted(i, 100000, {1, 2}, 4); };
  int same = 0;
  int near = 0;  // neighbours that stay neighbours
  for (std::uint64_t i = 0; i + 1 < 1000; ++i) {
    same += a(i) == b(i) ? 1 : 0;
    near += a(i + 1) - a(i) + 5 <= 10 ? 1 : 0;
  }
  EXPECT_LE(same, 2);
  EXPECT_LE(near, 3);
}

class Orders : public ::testing::TestWithParam<std::tuple<std::int64_t, int, int>> {};

TEST_P(Orders, EverySampleExactlyOnce) {
  const auto [samples, lanes, min_lane] = GetParam();
  if (samples < 2 && min_lane == 2) {
    EXPECT_THROW(StepTable(samples, 128, lanes, min_lane), UsageError);
    return;
  }
  const StepTable table(samples, 128, lanes, min_lane);
  for (const OrderKind kind : kKinds) {
    for (const std::int64_t chunk_rows : {1, 7, 64}) {
      const std::vector<std::int64_t> chunks = cut(samples, chunk_rows);
      const SampleOrder order(kind, 42, 5, chunks, table);
      EXPECT_TRUE(each_once(whole_epoch(order, table, chunks), samples)) << name_of(kind) << ", chunks of " << chunk_rows;
    }
  }
}

// A prime, fewer than a batch, fewer than lanes, one.
INSTANTIATE_TEST_SUITE_P(Sizes, Orders,
                         ::testing::Combine(::testing::Values(1501, 257, 128, 100, 13, 3, 2, 1), ::testing::Values(1, 3, 8, 64),
                                            ::testing::Values(1, 2)));

TEST(SampleOrder, IsKeyedBySeedAndEpoch) {
  const std::vector<std::int64_t> chunks = cut(1501, 16);
  const StepTable table(1501, 64, 8);
  for (const OrderKind kind : {OrderKind::chunk, OrderKind::sample}) {
    const auto rows = [&](std::uint64_t seed, std::uint64_t epoch) {
      return whole_epoch(SampleOrder(kind, seed, epoch, chunks, table), table, chunks);
    };
    EXPECT_EQ(rows(1, 0), rows(1, 0));
    EXPECT_NE(rows(1, 0), rows(1, 1));
    EXPECT_NE(rows(1, 0), rows(2, 0));
  }
}

TEST(SampleOrder, SequentialStreamsFollowTheRows) {
  const std::vector<std::int64_t> chunks = cut(103, 8);
  const StepTable table(103, 16, 4);
  const SampleOrder order(OrderKind::sequential, 1, 2, chunks, table);
  std::int64_t row = 0;
  for (int lane = 0; lane < 4; ++lane) {
    for (std::int64_t i = 0; i < table.stream_length(lane); ++i, ++row) {
      const SamplePlace place = sample_at(order, lane, i);
      EXPECT_EQ(std::accumulate(chunks.begin(), chunks.begin() + place.chunk, std::int64_t{0}) + place.row, row);
    }
  }
}

TEST(SampleOrder, ChunkOrderMixesWithinItsWindow) {
  const std::vector<std::int64_t> chunks(100, 16);
  const StepTable table(1600, 64, 2);
  const SampleOrder order(OrderKind::chunk, 1, 0, chunks, table);
  const auto window = order.window_at(0, 64).places;
  ASSERT_EQ(window.size(), 64U);
  std::set<std::int64_t> used;
  int in_row = 0;
  for (std::size_t i = 0; i < window.size(); ++i) {
    used.insert(window[i].chunk);
    in_row += i > 0 && window[i].chunk == window[i - 1].chunk && window[i].row == window[i - 1].row + 1 ? 1 : 0;
  }
  EXPECT_LE(used.size(), 5U);
  EXPECT_GE(used.size(), 4U);
  EXPECT_LE(in_row, 8);
}

TEST(SampleOrder, NamesAndDefaults) {
  for (const OrderKind kind : kKinds) {
    EXPECT_EQ(order_from(name_of(kind)), kind);
  }
  EXPECT_THROW(static_cast<void>(order_from("random")), UsageError);
  EXPECT_EQ(default_order(std::size_t{256} << 20), OrderKind::sample);
  EXPECT_EQ(default_order((std::size_t{256} << 20) + 1), OrderKind::chunk);
}

/// The order is part of what a run is: a checkpoint made by one version must go on in another.
TEST(SampleOrder, StaysAsItWasFixed) {
  const std::vector<std::int64_t> chunks = cut(50, 5);
  const StepTable table(50, 8, 2);
  const auto first = [&](OrderKind kind) {
    std::vector<std::int64_t> rows = whole_epoch(SampleOrder(kind, 7, 1, chunks, table), table, chunks);
    rows.resize(8);
    return rows;
  };
  EXPECT_EQ(first(OrderKind::chunk), (std::vector<std::int64_t>{23, 15, 3, 16, 10, 11, 34, 45}));
  EXPECT_EQ(first(OrderKind::sample), (std::vector<std::int64_t>{16, 26, 41, 31, 43, 37, 22, 45}));
}

}  // namespace
}  // namespace lockstep
