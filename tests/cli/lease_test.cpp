#include "cli/lease.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "lockstep/error.hpp"
#include "train/scratch_folder.hpp"

namespace lockstep::cli {
namespace {

using namespace std::chrono_literals;

const auto silent = [](const std::string& text) { ADD_FAILURE() << text; };

/// Another process that has the lease of a folder until it is killed.
class Owner {
 public:
  explicit Owner(const std::filesystem::path& run) : process_(::fork()) {
    if (process_ == 0) {
      const Lease lease(run, [](const std::string&) {});
      ::pause();
      std::_Exit(0);
    }
    for (int i = 0; i < 200 && text_of(run / "lease.json").empty(); ++i) {
      std::this_thread::sleep_for(20ms);
    }
  }
  ~Owner() { ::waitpid(process_, nullptr, 0); }
  Owner(const Owner&) = delete;
  Owner& operator=(const Owner&) = delete;
  /// Like many parents in containers, does not ask how it ended before its own end.
  void kill() const {
    ::kill(process_, SIGKILL);
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(process_), &info, WEXITED | WNOWAIT);
  }
  [[nodiscard]] std::string name() const { return fmt::format("process {} on host ", process_); }

 private:
  pid_t process_;
};

TEST(Lease, IsGivenBack) {
  const ScratchFolder run;
  for (int i = 0; i < 2; ++i) {
    const Lease lease(run.path(), silent);
    EXPECT_NE(text_of(run / "lease.json").find(fmt::format("\"process\":{},", ::getpid())), std::string::npos);
  }
  EXPECT_EQ(listing(run.path()), "");
}

TEST(Lease, AnOwnerThatLivesKeepsOthersOutAndADeadOneIsStaleAtOnce) {
  const ScratchFolder run;
  const Owner owner(run.path());
  const std::string what = what_throws<UsageError>([&] { const Lease lease(run.path(), silent); });
  EXPECT_NE(what.find(owner.name()), std::string::npos) << what;
  owner.kill();
  std::string said;
  const auto begin = std::chrono::steady_clock::now();
  const Lease lease(run.path(), [&](const std::string& text) { said += text; });
  EXPECT_NE(said.find(owner.name()), std::string::npos) << said;
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 2s);
}

TEST(Lease, OnAnotherHostItsAgeTells) {
  const ScratchFolder run;
  const std::filesystem::path file = run / "lease.json";
  put(file, "");
  const auto beat = [&](int number) {  // in place, as a lease is written: nobody sees half of it
    std::ofstream(file, std::ios::in | std::ios::out)
        << fmt::format(R"({{"host":"far","machine":"another","process":12,"started":"7","heartbeat":{:9}}})", number);
  };
  beat(1);
  std::jthread far([&](const std::stop_token& stop) {
    for (int i = 2; !stop.stop_requested(); ++i) {
      std::this_thread::sleep_for(200ms);
      beat(i);
    }
  });
  const std::string what = what_throws<UsageError>([&] { const Lease lease(run.path(), silent); });
  EXPECT_NE(what.find("process 12 on host far"), std::string::npos) << what;
  far.request_stop();
  far.join();
  std::filesystem::last_write_time(file, std::filesystem::file_time_type::clock::now() - 30s);
  std::string said;
  const Lease lease(run.path(), [&](const std::string& text) { said += text; });
  EXPECT_NE(said.find("process 12 on host far: no sign of life for 30 s"), std::string::npos) << said;
}

}  // namespace
}  // namespace lockstep::cli
