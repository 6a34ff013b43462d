#include "comm/lane_tree.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <numeric>
#include <random>

#include "comm/tree_sum.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

/// What an owner gets from folding every run's lanes by FoldPlan and the partials by RestPlan; width floats, at odd sizes.
std::vector<float> planned_sum(const std::vector<std::vector<float>>& lanes, std::span<const int> samples,
                               const std::vector<LaneRange>& runs, ReduceMode mode = ReduceMode::exact) {
  const std::size_t width = lanes[0].size();
  const RestPlan rest(runs, samples, mode);
  std::vector<std::vector<std::vector<float>>> partials(runs.size());
  for (std::size_t w = 0; w < runs.size(); ++w) {
    const FoldPlan fold(runs[w], samples, mode);
    // Buffers start as NaN, so that reading one too early shows.
    std::vector<std::vector<float>> memory(fold.buffers(), std::vector<float>(width, NAN));
    std::vector<float*> registers;
    for (auto& m : memory)
      registers.push_back(m.data());
    for (int lane = runs[w].begin; lane < runs[w].end; ++lane) {
      if (samples[lane] > 0)
        std::ranges::copy(lanes[lane], memory[fold.target(lane)].begin());
      run_sums<float>(fold.ops(lane), registers.data(), width);
    }
    for (const int reg : fold.partials())
      partials[w].push_back(reg < 0 ? std::vector<float>{} : memory[reg]);
  }
  std::vector<std::vector<float>> memory;
  for (const RestPlan::Source& source : rest.sources())
    memory.push_back(partials[source.run][source.partial]);
  memory.resize(memory.size() + rest.scratch(), std::vector<float>(width, NAN));
  const auto sources = memory;
  std::vector<float*> registers;
  for (auto& m : memory)
    registers.push_back(m.data());
  run_sums<float>(rest.ops(), registers.data(), width);
  for (std::size_t i = 0; i < rest.sources().size(); ++i)
    EXPECT_EQ(memory[i], sources[i]) << "a source was overwritten";
  return memory[rest.results()[0]];
}

TEST(LaneTree, SplitsAtTheLargestPowerOfTwoBelow) {
  using Ranges = std::vector<LaneRange>;
  EXPECT_EQ(maximal_subtrees({0, 7}, 7), (Ranges{{0, 7}}));
  EXPECT_EQ(maximal_subtrees({4, 7}, 7), (Ranges{{4, 7}}));
  EXPECT_EQ(maximal_subtrees({1, 7}, 7), (Ranges{{1, 2}, {2, 4}, {4, 7}}));
  EXPECT_EQ(maximal_subtrees({1, 7}, 8), (Ranges{{1, 2}, {2, 4}, {4, 6}, {6, 7}}));
  EXPECT_EQ(maximal_subtrees({3, 6}, 6), (Ranges{{3, 4}, {4, 6}}));
}

TEST(LaneTree, FoldAndRestGiveTheBitsOfTheTreeForAllWorkersAndThreads) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> value(-1, 1);
  for (int lanes = 1; lanes <= 17; ++lanes) {
    for (int trial = 0; trial < 4; ++trial) {
      std::vector<int> samples(lanes, 3);
      if (trial > 0) {
        for (int& n : samples)
          n = static_cast<int>(random() % 3);
        samples[random() % lanes] = 1;
      }
      std::vector<std::vector<float>> data(lanes, std::vector<float>(trial == 0 ? 2051 : 5));
      for (auto& lane : data)
        std::ranges::generate(lane, [&] { return value(random) * std::exp2(static_cast<float>(random() % 20)); });
      std::vector<float> expected;
      for (std::size_t i = 0; i < data[0].size(); ++i) {
        std::vector<float> column;
        for (const auto& lane : data)
          column.push_back(lane[i]);
        expected.push_back(test::tree_sum(column, samples));
      }
      for (int workers = 1; workers <= lanes; ++workers) {
        const auto runs = deal_lanes(lanes, std::vector<int>(workers, 1));
        ASSERT_EQ(planned_sum(data, samples, runs), expected) << lanes << " lanes, " << workers << " workers, trial " << trial;
        for (const int threads : {2, 3, 5}) {
          std::vector<LaneRange> seats;
          for (const LaneRange& run : runs)
            std::ranges::copy(deal_run(run, lanes, threads), std::back_inserter(seats));
          ASSERT_EQ(planned_sum(data, samples, seats), expected)
              << lanes << " lanes, " << workers << " workers of " << threads << " threads, trial " << trial;
        }
      }
    }
  }
}

TEST(LaneTree, EveryLaneIsAddedOnceAndNothingIsCopied) {
  for (int lanes = 1; lanes <= 17; ++lanes) {
    const std::vector<int> samples(lanes, 1);
    for (int workers = 1; workers <= lanes; ++workers) {
      const auto runs = deal_lanes(lanes, std::vector<int>(workers, 1));
      const RestPlan rest(runs, samples);
      auto adds = static_cast<int>(rest.ops().size());
      const auto counts = partials_per_run(runs);
      EXPECT_EQ(rest.sources().size(), std::accumulate(counts.begin(), counts.end(), std::size_t{0}));
      for (const LaneRange& run : runs) {
        const FoldPlan fold(run, samples);
        for (int lane = run.begin; lane < run.end; ++lane) {
          EXPECT_TRUE(std::ranges::all_of(fold.ops(lane), [](const SumOp& op) { return op.dst == op.a && op.b >= 0; }));
          adds += static_cast<int>(fold.ops(lane).size());
        }
      }
      EXPECT_EQ(adds, lanes - 1);
    }
  }
  EXPECT_TRUE(FoldPlan({2, 3}, std::vector<int>(4, 1)).ops(2).empty());
  EXPECT_EQ(FoldPlan({2, 2}, std::vector<int>(4, 1)).buffers(), 0);
}

TEST(LaneTree, BuffersStayFewAndEmptyLanesNeedNoMore) {
  std::mt19937 random(3);
  for (int lanes = 1; lanes <= 33; ++lanes) {
    for (int begin = 0; begin < lanes; ++begin) {
      for (int end = begin + 1; end <= lanes; ++end) {
        const auto subtrees = static_cast<int>(maximal_subtrees({begin, end}, lanes).size());
        const FoldPlan full({begin, end}, std::vector<int>(lanes, 1));
        // The finished subtrees and, of the one being summed, one value a level and the lane that is added.
        EXPECT_LE(full.buffers(), subtrees + std::bit_width(static_cast<unsigned>(end - begin - 1)));
        std::vector<int> samples(lanes);
        std::ranges::generate(samples, [&] { return static_cast<int>(random() % 2); });
        EXPECT_LE(FoldPlan({begin, end}, samples).buffers(), full.buffers());
      }
    }
  }
  EXPECT_EQ(FoldPlan({0, 64}, std::vector<int>(64, 1)).buffers(), 7);
}

/// A worker's threads' sums, added up to those of its own maximal subtrees.
TEST(LaneTree, APartOfTheTreeHasAResultForEachOfItsSubtrees) {
  for (const int threads : {1, 2, 3, 4}) {
    const LaneRange whole{3, 11};
    std::vector<int> samples(13, 1);
    samples[3] = 0;
    const auto seats = deal_run(whole, 13, threads);
    const RestPlan plan(seats, whole, samples);
    const auto subtrees = maximal_subtrees(whole, 13);
    ASSERT_EQ(plan.results().size(), subtrees.size());
    // Lanes are powers of two: a sum tells which lanes are in it.
    std::vector<float> values;
    for (const RestPlan::Source& source : plan.sources()) {
      float sum = 0;
      const LaneRange node = maximal_subtrees(seats[source.run], 13)[source.partial];
      for (int lane = node.begin; lane < node.end; ++lane)
        sum += samples[lane] > 0 ? std::exp2(static_cast<float>(lane)) : 0;
      values.push_back(sum);
    }
    values.resize(values.size() + plan.scratch(), NAN);
    std::vector<float*> registers;
    for (float& value : values)
      registers.push_back(&value);
    run_sums<float>(plan.ops(), registers.data(), 1);
    for (std::size_t i = 0; i < subtrees.size(); ++i) {
      float wanted = 0;
      for (int lane = subtrees[i].begin; lane < subtrees[i].end; ++lane)
        wanted += samples[lane] > 0 ? std::exp2(static_cast<float>(lane)) : 0;
      EXPECT_EQ(plan.results()[i] < 0 ? 0 : values[plan.results()[i]], wanted) << threads << " threads, subtree " << i;
    }
  }
}

TEST(LaneTree, RestNeedsLogarithmicScratch) {
  for (int lanes = 1; lanes <= 64; ++lanes) {
    const auto runs = deal_lanes(lanes, std::vector<int>(lanes, 1));
    const RestPlan rest(runs, std::vector<int>(lanes, 1));
    EXPECT_LE(rest.scratch(), std::bit_width(static_cast<unsigned>(lanes - 1))) << lanes;
  }
  EXPECT_THROW(RestPlan(std::vector<LaneRange>{{0, 2}}, std::vector<int>{0, 0}), UsageError);
}

TEST(LaneTree, PowersOfTwoExchangeOnePartialAWorker) {
  for (int lanes = 1; lanes <= 64; lanes *= 2) {
    for (int workers = 1; workers <= lanes; workers *= 2) {
      const auto counts = partials_per_run(deal_lanes(lanes, std::vector<int>(workers, 4)));
      EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), 0), workers);
    }
  }
}

/// The fewest subtrees of any cut whose shares are all in [low, high].
int fewest_subtrees(int lanes, int begin, int workers, int low, int high) {
  if (workers == 0)
    return begin == lanes ? 0 : 1000;
  int best = 1000;
  for (int n = low; n <= std::min(high, lanes - begin); ++n)
    best = std::min(best, static_cast<int>(maximal_subtrees({begin, begin + n}, lanes).size()) +
                              fewest_subtrees(lanes, begin + n, workers - 1, low, high));
  return best;
}

TEST(DealLanes, EqualThreadsGetEqualSharesInTheFewestSubtrees) {
  for (int lanes = 1; lanes <= 17; ++lanes) {
    for (int workers = 1; workers <= lanes; ++workers) {
      const auto runs = deal_lanes(lanes, std::vector<int>(workers, 2));
      ASSERT_EQ(runs.size(), static_cast<std::size_t>(workers));
      int begin = 0;
      for (const LaneRange& run : runs) {
        EXPECT_EQ(run.begin, begin);
        EXPECT_GE(run.size(), lanes / workers);
        EXPECT_LE(run.size(), (lanes + workers - 1) / workers);
        begin = run.end;
      }
      EXPECT_EQ(begin, lanes);
      const auto counts = partials_per_run(runs);
      EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), 0),
                fewest_subtrees(lanes, 0, workers, lanes / workers, (lanes + workers - 1) / workers));
    }
  }
}

TEST(DealLanes, SharesFollowThreadsAndNobodyIsLeftOut) {
  using Runs = std::vector<LaneRange>;
  EXPECT_EQ(deal_lanes(16, std::vector<int>{8, 4, 4}), (Runs{{0, 8}, {8, 12}, {12, 16}}));
  EXPECT_EQ(deal_lanes(4, std::vector<int>{64, 1, 1}), (Runs{{0, 2}, {2, 3}, {3, 4}}));
  EXPECT_THROW((void)deal_lanes(2, std::vector<int>{1, 1, 1}), UsageError);
  EXPECT_THROW((void)deal_lanes(2, std::vector<int>{1, 0}), UsageError);
  EXPECT_THROW((void)deal_lanes(2, std::vector<int>{}), UsageError);
}

TEST(ReduceModes, ArrivalDependsOnTheWorkersAndExactDoesNot) {
  const std::vector<int> samples(8, 1);
  std::vector<std::vector<float>> data;
  std::mt19937 random(11);
  for (int lane = 0; lane < 8; ++lane) {
    data.emplace_back(64);
    std::ranges::generate(data.back(), [&] { return std::uniform_real_distribution<float>(-1, 1)(random); });
  }
  const auto sum = [&](int workers, ReduceMode mode) {
    return planned_sum(data, samples, deal_lanes(8, std::vector<int>(workers, 1)), mode);
  };
  EXPECT_EQ(sum(1, ReduceMode::exact), sum(3, ReduceMode::exact));
  EXPECT_NE(sum(1, ReduceMode::arrival), sum(3, ReduceMode::arrival));
  std::vector<float> in_order(64, 0.0f);
  for (std::size_t i = 0; i < in_order.size(); ++i) {
    in_order[i] = data[0][i];
    for (std::size_t lane = 1; lane < 8; ++lane)
      in_order[i] += data[lane][i];
  }
  EXPECT_EQ(sum(1, ReduceMode::arrival), in_order);
  EXPECT_EQ(FoldPlan({1, 6}, samples, ReduceMode::arrival).partials().size(), 1u);
}

TEST(SumLanes, AddsDoublesAlongTheTree) {
  std::vector<double> sum(2);
  sum_lanes(std::vector<double>{1e16, 1, 1.0, 2, 1.0, 3, 0, 0, -1e16, 4}, sum);
  EXPECT_EQ(sum[0], ((1e16 + 1.0) + 1.0) + -1e16);
  EXPECT_EQ(sum[1], 10);
  sum_lanes(std::vector<double>{0.1, 7, 0.2, 8, 0.3, 9, 0.4, 1}, sum);
  EXPECT_EQ(sum[0], (0.1 + 0.2) + (0.3 + 0.4));
  sum_lanes(std::vector<double>{0.5, 7}, sum);
  EXPECT_EQ(sum[0], 0.5);
}

}  // namespace
}  // namespace lockstep
