#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <future>
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
  std::string names;
  for (const int peer : silent.first(std::min(kNamed, silent.size())))
    names += (names.empty() ? "" : ", ") + communicator.name(peer);
  if (silent.size() > kNamed)
    names += fmt::format(" and {} more", silent.size() - kNamed);
  const std::string place =
      waiting.step < 0 ? communicator.place() : fmt::format("{}, step {}", communicator.name(communicator.rank()), waiting.step);
  return WorkerLost(fmt::format("{}: no answer from {} for {:g} s while {}; stopping the job.", place, names,
                                communicator.longest_silence().count(), waiting.str()));
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

std::string Communicator::name(int rank) const { return fmt::format("rank {} ({})", rank, host(rank)); }

std::string Communicator::place() const { return step < 0 ? name(rank()) : fmt::format("{}, step {}", name(rank()), step); }

void Communicator::require_rank(int peer) const {
  if (peer < 0 || peer >= size())
    throw UsageError(fmt::format("{}: there is no rank {} among {} workers", name(rank()), peer, size()));
}

namespace {

constexpr int kGatherTag = Communicator::kTags, kBroadcastTag = kGatherTag + 1, kBarrierTag = kGatherTag + 2;

void require_tag(int tag) {
  if (tag < 0 || tag >= Communicator::kTags)
    throw UsageError(fmt::format("tag {} is not in 0..{}", tag, Communicator::kTags - 1));
}

}  // namespace

Request Communicator::send(int to, int tag, std::span<const std::byte> data) {
  require_tag(tag);
  require_rank(to);
  return start_send(to, tag, data);
}

Request Communicator::receive(int from, int tag, std::span<std::byte> data) {
  require_tag(tag);
  require_rank(from);
  return start_receive(from, tag, data);
}

void Communicator::wait(std::span<Request> requests, Waiting waiting) {
  for (Backoff backoff; !test(requests, waiting);)
    backoff.pause();
}

void Communicator::gather(int tag, std::span<const std::byte> mine, std::span<std::byte> all, Waiting waiting) {
  everyone_.clear();
  for (int k = 1; k < size(); ++k) {
    const int from = (rank() - k + size()) % size();
    everyone_.push_back(start_receive(from, tag, all.subspan(mine.size() * static_cast<std::size_t>(from), mine.size())));
  }
  for (int k = 1; k < size(); ++k)
    everyone_.push_back(start_send((rank() + k) % size(), tag, mine));
  wait(everyone_, waiting);
}

void Communicator::all_gather(std::span<const std::byte> mine, std::span<std::byte> all, Waiting waiting) {
  if (all.size() != mine.size() * static_cast<std::size_t>(size()))
    throw UsageError(fmt::format("all_gather: {} bytes from each of {} workers do not fill {}", mine.size(), size(), all.size()));
  std::ranges::copy(mine, all.begin() + rank() * static_cast<std::ptrdiff_t>(mine.size()));
  gather(kGatherTag, mine, all, waiting);
}

void Communicator::broadcast(std::span<std::byte> data, int root, Waiting waiting) {
  require_rank(root);
  // A binomial tree over the ranks counted from root: place i receives from i without its lowest bit.
  const int place = (rank() - root + size()) % size();
  const auto rank_at = [&](int i) { return (i + root) % size(); };
  int bit = 1;
  for (; bit < size() && (place & bit) == 0; bit *= 2) {
  }
  if (place != 0) {
    everyone_.assign(1, start_receive(rank_at(place - bit), kBroadcastTag, data));
    wait(everyone_, waiting);
  }
  everyone_.clear();
  for (bit /= 2; bit > 0; bit /= 2) {
    if (place + bit < size())
      everyone_.push_back(start_send(rank_at(place + bit), kBroadcastTag, data));
  }
  wait(everyone_, waiting);
}

void Communicator::barrier(Waiting waiting) {
  static constexpr std::byte kSignal{1};
  signals_.resize(static_cast<std::size_t>(size()));
  gather(kBarrierTag, {&kSignal, 1}, signals_, waiting);
}

void await_root(Communicator& communicator, const std::function<void()>& work, Waiting waiting) {
  std::future<void> working;
  if (communicator.rank() == 0)
    working = std::async(communicator.size() == 1 ? std::launch::deferred : std::launch::async, work);
  const std::chrono::duration<double> pause(std::min(1.0, communicator.deadline.count() / 4));
  for (std::uint8_t done = communicator.size() == 1 ? 1 : 0; done == 0;) {
    if (working.valid())
      done = working.wait_for(pause) == std::future_status::ready ? 1 : 0;
    communicator.broadcast(std::as_writable_bytes(std::span(&done, 1)), 0, waiting);
  }
  if (working.valid())
    working.get();
}

namespace {

class SelfCommunicator final : public Communicator {
 public:
  [[nodiscard]] int rank() const override { return 0; }
  [[nodiscard]] int size() const override { return 1; }
  [[nodiscard]] const std::string& host(int) const override { return host_; }
  bool test(std::span<Request>, Waiting&) override { return true; }
  [[noreturn]] void abort(ExitCode code) override {
    std::fflush(nullptr);
    std::_Exit(static_cast<int>(code));
  }

 private:
  [[nodiscard]] Request start_send(int to, int, std::span<const std::byte>) override { nobody(to); }
  [[nodiscard]] Request start_receive(int from, int, std::span<std::byte>) override { nobody(from); }
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
