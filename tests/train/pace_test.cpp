#include "train/pace.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

std::vector<int> lanes_of(const std::vector<LaneRange>& runs) {
  std::vector<int> lanes;
  for (const LaneRange& run : runs) {
    lanes.push_back(run.size());
  }
  return lanes;
}

void add(Pace& pace, const std::vector<double>& per_lane, int steps) {
  for (int i = 0; i < steps; ++i) {
    pace.add(per_lane);
  }
}

TEST(Pace, NamesWhoIsSlowForTwentySteps) {
  Pace pace(std::vector<int>{1, 1, 1});
  add(pace, {1, 1.8, 1}, 19);
  EXPECT_TRUE(pace.slow().empty());
  EXPECT_TRUE(pace.add(std::vector<double>{1, 2.2, 1}));
  ASSERT_EQ(pace.slow().size(), 1);
  EXPECT_EQ(pace.slow()[0].worker, 1);
  EXPECT_DOUBLE_EQ(pace.slow()[0].times, 1.8);
  add(pace, {1, 1.8, 1}, 20);
  ASSERT_EQ(pace.slow().size(), 1);
  EXPECT_EQ(pace.slow()[0].windows, 2);
  add(pace, {1, 1.4, 1}, 20);
  EXPECT_TRUE(pace.slow().empty());
}

TEST(Pace, AHitchMakesNobodySlow) {
  Pace pace(std::vector<int>{1, 1});
  add(pace, {1, 1}, 12);
  add(pace, {1, 100}, 8);
  EXPECT_TRUE(pace.slow().empty());
}

TEST(Pace, OfTwoWorkersTheSlowOneIsNamed) {
  Pace pace(std::vector<int>{1, 1});
  add(pace, {3, 1}, 20);
  ASSERT_EQ(pace.slow().size(), 1);
  EXPECT_EQ(pace.slow()[0].worker, 0);
}

TEST(Pace, UnknownTimesSayNothing) {
  Pace pace(std::vector<int>{1, 1});
  add(pace, {0, 5}, 30);
  EXPECT_TRUE(pace.slow().empty());
  EXPECT_FALSE(pace.better_shares(deal_lanes(8, std::vector<int>{1, 1})));
}

TEST(Pace, ASlowWorkerGetsFewerLanes) {
  Pace pace(std::vector<int>{1, 1});
  add(pace, {1, 3}, 5);
  const auto shares = pace.better_shares(deal_lanes(8, std::vector<int>{1, 1}));
  ASSERT_TRUE(shares);
  EXPECT_EQ(lanes_of(deal_lanes(8, *shares)), (std::vector<int>{6, 2}));
}

TEST(Pace, AnEvenJobIsLeftAsItIs) {
  Pace pace(std::vector<int>{2, 1});
  add(pace, {1, 1.02}, 5);
  EXPECT_FALSE(pace.better_shares(deal_lanes(12, std::vector<int>{2, 1})));
}

TEST(Pace, LooksAtTheTimeSinceItWasLastAsked) {
  Pace pace(std::vector<int>{1, 1});
  add(pace, {1, 3}, 50);
  ASSERT_TRUE(pace.better_shares(deal_lanes(8, std::vector<int>{1, 1})));
  add(pace, {1, 1}, 5);
  EXPECT_FALSE(pace.better_shares(deal_lanes(8, std::vector<int>{1, 1})));
  EXPECT_TRUE((add(pace, {1, 1}, 5), pace.better_shares({{{0, 6}, {6, 8}}})));
}

}  // namespace
}  // namespace lockstep
