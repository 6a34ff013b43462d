#include "runtime/lane_team.hpp"

#include <gtest/gtest.h>
#include <omp.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <csignal>
#include <stdexcept>
#include <thread>

#include "runtime/cores.hpp"

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

std::atomic<int> signals{0};

// Where a thread is in dnnl_sgemm, a handler would overwrite the heap.
TEST(LaneTeam, SignalsWaitWhileThreadsWork) {
  const auto before = std::signal(SIGUSR1, [](int) { ++signals; });
  LaneTeam team(3);
  for (int run = 1; run <= 2; ++run) {
    team.run([&](int) {
      pthread_kill(pthread_self(), SIGUSR1);
      EXPECT_EQ(signals, run - 1);
    });
    EXPECT_EQ(signals, run);  // thread 0 takes its own afterwards
  }
  std::signal(SIGUSR1, before);
}

TEST(LaneTeam, ThreadsStayOnTheirCores) {
  const std::vector<int> cores = process_cores();
  if (cores.size() < 2) {
    GTEST_SKIP() << "one core";
  }
  {
    LaneTeam team(2, {cores[1], cores[0]});
    team.run([&](int thread) {
      for (int look = 0; look < 100; ++look) {
        EXPECT_EQ(sched_getcpu(), cores[static_cast<std::size_t>(1 - thread)]);
        std::this_thread::yield();
      }
    });
    std::thread beside([&] {
      use_all_cores();
      cpu_set_t set;
      ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
      EXPECT_EQ(CPU_COUNT(&set), static_cast<int>(cores.size()));
    });
    beside.join();
  }
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  EXPECT_EQ(CPU_COUNT(&set), static_cast<int>(cores.size())) << "the first thread is free again after its team's end";
}

TEST(LaneTeam, LibrariesGetOneThread) {
  LaneTeam team(2);
  team.run([](int) { EXPECT_EQ(omp_get_max_threads(), 1); });
}

}  // namespace
}  // namespace lockstep
