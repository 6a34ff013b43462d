#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "comm/communicator.hpp"
#include "comm/launcher.hpp"

namespace lockstep {

void Waiting::looked(bool moved) {
  constexpr Clock::duration kLongestAbsence = std::chrono::seconds(1);
  const Clock::time_point now = Clock::now();
  silent = moved || tested == Clock::time_point{} ? Clock::duration{} : silent + std::min(now - tested, kLongestAbsence);
  tested = now;
}

std::string Waiting::str() const { return index < 0 ? std::string(what) : fmt::format("{} {} of {}", what, index + 1, of); }

WorkerLost no_answer(const Communicator& communicator, std::span<const int> silent, const Waiting& waiting) {
  constexpr std::size_t kNamed = 4;
  const auto name = [&](int rank) { return fmt::format("rank {} ({})", rank, communicator.host(rank)); };
  std::string names;
  for (const int peer : silent.first(std::min(kNamed, silent.size())))
    names += (names.empty() ? "" : ", ") + name(peer);
  if (silent.size() > kNamed)
    names += fmt::format(" and {} more", silent.size() - kNamed);
  return WorkerLost(fmt::format("{}{}: no answer from {} for {:g} s while {}; stopping the job.", name(communicator.rank()),
                                waiting.step < 0 ? "" : fmt::format(", step {}", waiting.step), names, communicator.deadline.count(),
                                waiting.str()));
}

void Backoff::pause() {
  constexpr int kSpins = 200;
  constexpr int kYields = 200;
  if (++turns_ <= kSpins)
    return;
  if (turns_ <= kSpins + kYields)
    std::this_thread::yield();
  else
    std::this_thread::sleep_for(std::chrono::microseconds(50));
}

namespace {

class SelfCommunicator final : public Communicator {
 public:
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int size() const override { return 1; }
  [[nodiscard]] const std::string& host(int) const override { return host_; }
  [[nodiscard]] Request send(int to, int, std::span<const std::byte>) override { nobody(to); }
  [[nodiscard]] Request receive(int from, int, std::span<std::byte>) override { nobody(from); }
  bool test(std::span<Request>, Waiting&) override { return true; }
  void wait(std::span<Request>, Waiting) override {}
  void all_gather(std::span<const std::byte> mine, std::span<std::byte> all, Waiting) override {
    if (all.size() != mine.size())
      throw UsageError(fmt::format("all_gather: {} bytes from 1 worker do not fill {}", mine.size(), all.size()));
    std::ranges::copy(mine, all.begin());
  }
  void broadcast(std::span<std::byte>, int root, Waiting) override {
    if (root != 0)
      nobody(root);
  }
  void barrier(Waiting) override {}
  [[noreturn]] void abort(ExitCode code) override {
    std::fflush(nullptr);
    std::_Exit(static_cast<int>(code));
  }

 private:
  [[noreturn]] static void nobody(int peer) { throw UsageError(fmt::format("a job of one worker has no rank {} to talk to", peer)); }

  std::string host_ = short_host_name();
};

}  // namespace

std::unique_ptr<Communicator> self_communicator() { return std::make_unique<SelfCommunicator>(); }

std::unique_ptr<Communicator> connect_workers(const MpiOptions& options) {
  const Environment environment = current_environment();
  if (started_by_mpi(environment))
    return mpi_communicator(options);
  check_job_size(environment, 1);
  return self_communicator();
}

}  // namespace lockstep
