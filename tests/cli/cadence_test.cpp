#include "cli/cadence.hpp"

#include <gtest/gtest.h>

namespace lockstep::cli {
namespace {

using Clock = Cadence::Clock;
Clock::time_point at(double seconds) {
  return Clock::time_point(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(1000 + seconds)));
}

TEST(Cadence, StepsSecondsAndTheEndsOfLongEpochsAskForACheckpoint) {
  Cadence steps({.steps = 3}, at(0));
  EXPECT_EQ(steps.wish(at(0), {.step = 1}), Wish::nothing);
  EXPECT_EQ(steps.wish(at(0), {.step = 3}), Wish::checkpoint);
  Cadence seconds({.seconds = 10}, at(0));
  EXPECT_EQ(seconds.wish(at(9.9), {.step = 1}), Wish::nothing);
  EXPECT_EQ(seconds.wish(at(10), {.step = 2}), Wish::checkpoint);
  EXPECT_EQ(seconds.wish(at(19), {.step = 3}), Wish::nothing);
  EXPECT_EQ(seconds.wish(at(20), {.step = 4}), Wish::checkpoint);
  Cadence epochs({}, at(0));
  EXPECT_EQ(epochs.wish(at(4.9), {.step = 1, .epoch_ends = true}), Wish::nothing) << "short epochs share one";
  EXPECT_EQ(epochs.wish(at(5.1), {.step = 2}), Wish::nothing);
  EXPECT_EQ(epochs.wish(at(5.2), {.step = 3, .epoch_ends = true}), Wish::checkpoint);
}

TEST(Cadence, WaitsForTheWriteBeforeRatherThanKeepTheStepsWaiting) {
  Cadence cadence({.steps = 3}, at(0));
  EXPECT_EQ(cadence.wish(at(0), {.step = 3, .writing = true}), Wish::nothing);
  EXPECT_EQ(cadence.wish(at(0), {.step = 4, .writing = true}), Wish::nothing);
  EXPECT_EQ(cadence.wish(at(0), {.step = 5}), Wish::checkpoint);
  EXPECT_EQ(cadence.wish(at(0), {.step = 7}), Wish::nothing);
}

TEST(Cadence, LeavesTimeForTwiceTheSlowestStepAndCheckpoint) {
  Cadence cadence({.end = at(100)}, at(0));
  EXPECT_EQ(cadence.wish(at(0), {.step = 1}), Wish::nothing);
  EXPECT_EQ(cadence.wish(at(50), {.step = 2}), Wish::nothing) << "the first step is longer than the rest";
  EXPECT_EQ(cadence.wish(at(54), {.step = 3}), Wish::nothing);
  const Moment slow{.step = 4, .copying = 1, .written = 10};
  EXPECT_EQ(cadence.wish(at(58), slow), Wish::nothing);
  EXPECT_EQ(cadence.wish(at(62), {.step = 5}), Wish::nothing);
  EXPECT_EQ(cadence.wish(at(66), {.step = 6}), Wish::nothing);
  EXPECT_EQ(cadence.wish(at(69.9), {.step = 7}), Wish::nothing);
  EXPECT_EQ(cadence.wish(at(70.1), {.step = 8}), Wish::stop) << "2 * (4 + 1 + 10) before the end";
}

}  // namespace
}  // namespace lockstep::cli
