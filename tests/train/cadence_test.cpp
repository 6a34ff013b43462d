#include "train/cadence.hpp"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

using Clock = Cadence::Clock;
Clock::time_point at(double seconds) {
  return Clock::time_point(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1000 + seconds)));
}

TEST(Cadence, StepsSecondsAndTheEndsOfLongEpochsAskForACheckpoint) {
  Cadence steps({.steps = 3}, at(0));
  EXPECT_EQ(steps.wish(at(0), 1, false, false), Wish::nothing);
  EXPECT_EQ(steps.wish(at(0), 3, false, false), Wish::checkpoint);
  Cadence seconds({.seconds = 10}, at(0));
  EXPECT_EQ(seconds.wish(at(9.9), 1, false, false), Wish::nothing);
  EXPECT_EQ(seconds.wish(at(10), 2, false, false), Wish::checkpoint);
  seconds.begun(at(10), 0);
  EXPECT_EQ(seconds.wish(at(19), 3, false, false), Wish::nothing);
  Cadence epochs({}, at(0));
  EXPECT_EQ(epochs.wish(at(4.9), 1, true, false), Wish::nothing) << "short epochs share one";
  EXPECT_EQ(epochs.wish(at(5.1), 2, false, false), Wish::nothing);
  EXPECT_EQ(epochs.wish(at(5.2), 3, true, false), Wish::checkpoint);
}

TEST(Cadence, WaitsForTheWriteBeforeRatherThanKeepTheStepsWaiting) {
  Cadence cadence({.steps = 3}, at(0));
  EXPECT_EQ(cadence.wish(at(0), 3, false, true), Wish::nothing);
  EXPECT_EQ(cadence.wish(at(0), 4, false, true), Wish::nothing);
  EXPECT_EQ(cadence.wish(at(0), 5, false, false), Wish::checkpoint);
  cadence.begun(at(0), 0);
  EXPECT_EQ(cadence.wish(at(0), 7, false, false), Wish::nothing);
}

TEST(Cadence, LeavesTimeForTwiceTheSlowestStepAndCheckpoint) {
  Cadence cadence({.end = at(100)}, at(0));
  EXPECT_EQ(cadence.wish(at(0), 1, false, false), Wish::nothing);
  EXPECT_EQ(cadence.wish(at(50), 2, false, false), Wish::nothing) << "the first step is longer than the rest";
  EXPECT_EQ(cadence.wish(at(54), 3, false, false), Wish::nothing);
  cadence.begun(at(54), 1);
  cadence.written(10);
  EXPECT_EQ(cadence.margin().count(), 2 * (4 + 1 + 10));
  EXPECT_EQ(cadence.wish(at(58), 4, false, true), Wish::nothing);
  EXPECT_EQ(cadence.wish(at(70.1), 5, false, true), Wish::stop) << "a step of 12.1 s has widened it";
}

}  // namespace
}  // namespace lockstep
