#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>

#include "comm/communicator.hpp"
#include "comm/launcher.hpp"

namespace lockstep {

namespace {

using Seconds = std::chrono::duration<double>;

/// A test after a long absence must first give messages that lie ready the chance to arrive.
/// At the end other workers may still write files; while an exception unwinds they may never come.
constexpr Seconds kLastPatience{600};
constexpr Seconds kUnwindingPatience{5};
constexpr unsigned kLastWords = 5;         ///< seconds that MPI_Abort may take
volatile std::sig_atomic_t exit_code = 0;  ///< of the process when it may take no longer

/// MPI initialised, and finalised if it was us.
class Session {
 public:
  Session() {
    int before = 0;
    MPI_Initialized(&before);
    if (before != 0)
      return;
    // Open MPI's default on TCP lets receivers ask for long messages piece by piece and then moves them in one direction at a time: an
    // ordered sum of 4 MiB between two hosts took 71 ms at 1 Gbit/s, and takes 36 ms without.
    setenv("OMPI_MCA_btl_tcp_flags", "1", 0);
    int level = MPI_THREAD_SINGLE;
    if (MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &level) != MPI_SUCCESS)
      throw WorkerLost("MPI could not be initialised; is the job started with mpirun, or with srun --mpi=pmix?");
    owner_ = true;
    if (level < MPI_THREAD_SERIALIZED) {
      MPI_Finalize();
      throw UsageError("this MPI library was built without threads (MPI_THREAD_SERIALIZED); load another build of it");
    }
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() {
    // Finalising waits for everyone; a worker that gives up ends without, and the launcher ends the others.
    int workers = 1;
    if (owner_ && (std::uncaught_exceptions() == 0 || (MPI_Comm_size(MPI_COMM_WORLD, &workers) == MPI_SUCCESS && workers == 1)))
      MPI_Finalize();
  }
  [[nodiscard]] bool owner() const { return owner_; }

 private:
  bool owner_ = false;
};

std::string library_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  MPI_Get_library_version(text.data(), &length);
  const std::string_view all(text.data(), static_cast<std::size_t>(length));
  return std::string(all.substr(0, all.find_first_of(",\n")));
}

class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(const MpiOptions& options) : longest_(std::clamp<std::size_t>(options.longest_message, 1, INT_MAX)) {
    deadline = options.deadline;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
    MPI_Comm_size(MPI_COMM_WORLD, &size_);
    check_job_size(current_environment(), size_, library_version());
    hosts_.assign(static_cast<std::size_t>(size_), "?");
    join(options.workers);
    if (outside())
      return;
    MPI_Comm_size(comm_, &size_);
    hosts_.resize(static_cast<std::size_t>(size_));
    heard_.resize(static_cast<std::size_t>(size_));
    slots_.reserve(1024);
    gather_hosts();
  }

  ~MpiCommunicator() override {
    if (outside())
      return;
    const bool unwinding = std::uncaught_exceptions() > 0;
    try {
      patience = 1;
      deadline = unwinding ? kUnwindingPatience : std::max(deadline, kLastPatience);
      barrier({.what = "ending"});
    } catch (const std::exception& error) {
      if (!unwinding)
        std::fprintf(stderr, "%s\n", error.what());
      abort(ExitCode::worker_lost);
    }
    MPI_Comm_free(&comm_);
  }

  /// Whether this process is none of the workers.
  [[nodiscard]] bool outside() const { return comm_ == MPI_COMM_NULL; }
  [[nodiscard]] MPI_Comm handle() const { return comm_; }

  [[nodiscard]] int rank() const override { return rank_; }
  [[nodiscard]] int size() const override { return size_; }
  [[nodiscard]] const std::string& host(int rank) const override { return hosts_[static_cast<std::size_t>(rank)]; }

  bool test(std::span<Request> requests, Waiting& waiting) override {
    bool all = true;
    bool moved = false;
    for (Request& request : requests) {
      moved = advance(request) || moved;
      all = all && request.empty();
    }
    waiting.looked(moved);
    if (!all && Seconds(waiting.silent) > longest_silence())
      give_up(requests, waiting);
    return all;
  }

  [[noreturn]] void abort(ExitCode code) override {
    std::fflush(nullptr);
    // The launcher's daemon may itself be stopped or cut off.
    exit_code = static_cast<int>(code);
    std::signal(SIGALRM, [](int) { std::_Exit(exit_code); });
    alarm(kLastWords);
    MPI_Abort(MPI_COMM_WORLD, static_cast<int>(code));
    std::_Exit(static_cast<int>(code));
  }

 private:
  /// One MPI message under way; long sends and receives are chains of them.
  struct Slot {
    MPI_Request request = MPI_REQUEST_NULL;
    int peer = -1;
    int bytes = -1;  ///< of a receive; −1: a send
    int next = -1;
  };

  void join(int workers) {
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    if (workers > 0 && workers < size_) {  // there is no split that can be tested for
      check(MPI_Comm_split(MPI_COMM_WORLD, rank_ < workers ? 0 : MPI_UNDEFINED, rank_, &comm_), "joining the other workers", -1);
      if (!outside())
        MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
      return;
    }
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Comm_idup(MPI_COMM_WORLD, &comm_, &request);
    const auto begin = Waiting::Clock::now();
    Backoff backoff;
    for (int done = 0; done == 0; backoff.pause()) {
      check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "joining the other workers", -1);
      if (Seconds(Waiting::Clock::now() - begin) > std::max(deadline, Seconds(60)))
        throw WorkerLost(fmt::format("rank {}: some of the {} workers did not start within {:g} s", rank_, size_, deadline.count()));
    }
    MPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
  }

  void gather_hosts() {
    constexpr std::size_t kName = 64;
    std::array<char, kName> mine{};
    std::ranges::copy(short_host_name().substr(0, kName - 1), mine.begin());
    std::vector<char> all(kName * hosts_.size());
    all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)), {.what = "starting"});
    for (std::size_t r = 0; r < hosts_.size(); ++r)
      hosts_[r] = all.data() + r * kName;
  }

  void check(int result, const char* doing, int peer) const {
    if (result == MPI_SUCCESS)
      return;
    std::array<char, MPI_MAX_ERROR_STRING> text{};
    int length = 0;
    MPI_Error_string(result, text.data(), &length);
    int kind = MPI_SUCCESS;
    MPI_Error_class(result, &kind);
    const std::string other = peer < 0 ? "" : " " + name(peer);
    const std::string message = fmt::format("{}: {}{} failed: {}", name(rank_), doing, other, text.data());
    if (kind == MPI_ERR_TRUNCATE)
      throw UsageError(message + "; the message is longer than its receiver expects");
    throw WorkerLost(message);
  }

  int take_slot(const Slot& slot) {
    if (free_ < 0) {
      slots_.push_back(slot);
      return static_cast<int>(slots_.size()) - 1;
    }
    const int index = free_;
    free_ = slots_[static_cast<std::size_t>(index)].next;
    slots_[static_cast<std::size_t>(index)] = slot;
    return index;
  }

  /// Drops the first message of a request.
  void drop_first(Request& request) {
    Slot& slot = slots_[static_cast<std::size_t>(request.index)];
    const int next = slot.next;
    slot.next = free_;
    free_ = request.index;
    request.index = next;
  }

  /// begin(offset, count, MPI_Request*) starts one message; a long one is cut.
  template <class Begin>
  Request start(int peer, std::size_t bytes, bool receiving, const Begin& begin) {
    Request first;
    int last = -1;
    std::size_t at = 0;
    do {
      const int count = static_cast<int>(std::min(longest_, bytes - at));
      Slot slot{.peer = peer, .bytes = receiving ? count : -1};
      check(begin(at, count, &slot.request), receiving ? "receiving from" : "sending to", peer);
      const int index = take_slot(slot);
      if (last >= 0)
        slots_[static_cast<std::size_t>(last)].next = index;
      else
        first.index = index;
      last = index;
      at += static_cast<std::size_t>(count);
    } while (at < bytes);
    return first;
  }

  [[nodiscard]] Request start_send(int to, int tag, std::span<const std::byte> data) override {
    return start(to, data.size(), false, [&](std::size_t begin, int count, MPI_Request* request) {
      return MPI_Isend(data.data() + begin, count, MPI_BYTE, to, tag, comm_, request);
    });
  }

  [[nodiscard]] Request start_receive(int from, int tag, std::span<std::byte> data) override {
    return start(from, data.size(), true, [&](std::size_t begin, int count, MPI_Request* request) {
      return MPI_Irecv(data.data() + begin, count, MPI_BYTE, from, tag, comm_, request);
    });
  }

  /// Drops the messages of a request that are complete; true if there were any.
  bool advance(Request& request) {
    bool moved = false;
    while (!request.empty()) {
      Slot& slot = slots_[static_cast<std::size_t>(request.index)];
      int done = 0;
      MPI_Status status{};
      const int result = MPI_Test(&slot.request, &done, &status);
      const int peer = slot.peer;
      const int expected = slot.bytes;
      if (result == MPI_SUCCESS && done == 0)
        return moved;
      moved = true;
      if (expected >= 0)
        heard_[static_cast<std::size_t>(peer)] = Waiting::Clock::now();
      drop_first(request);
      check(result, expected < 0 ? "sending to" : "receiving from", peer);
      int received = expected;
      if (expected >= 0)
        MPI_Get_count(&status, MPI_BYTE, &received);
      if (received != expected)
        throw UsageError(fmt::format("{}: {} sent {} bytes where {} were expected", name(rank_), name(peer), received, expected));
    }
    return moved;
  }

  /// Names the peers that have sent nothing of any kind for the deadline, takes the requests back and throws; nothing where there are none.
  void give_up(std::span<Request> requests, const Waiting& waiting) {
    std::vector<int> peers;
    for (const bool receives : {true, false}) {
      for (const Request& request : requests) {
        if (!request.empty() && (slots_[static_cast<std::size_t>(request.index)].bytes >= 0) == receives)
          peers.push_back(slots_[static_cast<std::size_t>(request.index)].peer);
      }
      if (!peers.empty())
        break;
    }
    std::ranges::sort(peers);
    peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
    std::erase_if(peers, [&](int peer) { return waiting.tested - heard_[static_cast<std::size_t>(peer)] < longest_silence(); });
    if (peers.empty())
      return;
    for (Request& request : requests) {
      while (!request.empty())
        withdraw(request);
    }
    throw no_answer(*this, peers, waiting);
  }

  /// Lets go of a message without waiting: a receive is cancelled, so that it does not write to memory that may be gone.
  void withdraw(Request& request) {
    Slot& slot = slots_[static_cast<std::size_t>(request.index)];
    int done = 0;
    if (slot.bytes >= 0) {
      MPI_Cancel(&slot.request);
      for (int i = 0; i < 100 && done == 0; ++i)
        MPI_Test(&slot.request, &done, MPI_STATUS_IGNORE);
    }
    if (done == 0)
      MPI_Request_free(&slot.request);
    drop_first(request);
  }

  Session session_;
  std::size_t longest_;
  int rank_ = 0;
  int size_ = 1;
  MPI_Comm comm_ = MPI_COMM_NULL;
  std::vector<std::string> hosts_;
  std::vector<Waiting::Clock::time_point> heard_;  ///< when a message of each worker last arrived
  std::vector<Slot> slots_;
  int free_ = -1;  ///< first free slot
};

}  // namespace

std::unique_ptr<Communicator> mpi_communicator(const MpiOptions& options) {
  auto communicator = std::make_unique<MpiCommunicator>(options);
  return communicator->outside() ? nullptr : std::move(communicator);
}

void library_all_reduce(Communicator& workers, std::span<const float> mine, std::span<float> sum) {
  const auto* mpi = dynamic_cast<const MpiCommunicator*>(&workers);
  if (mpi == nullptr)
    std::ranges::copy(mine, sum.begin());
  else if (MPI_Allreduce(mine.data(), sum.data(), static_cast<int>(mine.size()), MPI_FLOAT, MPI_SUM, mpi->handle()) != MPI_SUCCESS)
    throw WorkerLost("MPI_Allreduce failed");
}

}  // namespace lockstep
