#include "runtime/lane_team.hpp"

#include <gtest/gtest.h>
#include <omp.h>

#include <atomic>
#include <stdexcept>

namespace lockstep {
namespace {

TEST(LaneTeam, EveryThreadWorksOnceInEveryRun) {
  for (const int threads : {1, 2, 5}) {
    LaneTeam team(threads);
    std::vector<std::atomic<int>> calls(static_cast<std::size_t>(threads));
    for (int run = 0; run < 200; ++run) {
      team.run([&](int thread) { ++calls[static_cast<std::size_t>(thread)]; });
    }
    for (const auto& count : calls) {
      EXPECT_EQ(count, 200);
    }
  }
}

TEST(LaneTeam, AnExceptionComesOutAndTheTeamGoesOn) {
  LaneTeam team(3);
  const auto fail = [&](int thread) {
    if (thread == 2) {
      throw std::runtime_error("thread 2");
    }
    while (!team.failed()) {
    }
  };
  EXPECT_THROW(team.run(fail), std::runtime_error);
  std::atomic<int> calls{0};
  team.run([&](int) { ++calls; });
  EXPECT_EQ(calls, 3);
}

TEST(LaneTeam, LibrariesGetOneThread) {
  LaneTeam team(2);
  team.run([](int) { EXPECT_EQ(omp_get_max_threads(), 1); });
}

}  // namespace
}  // namespace lockstep
