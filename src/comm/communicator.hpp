#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "lockstep/error.hpp"

namespace lockstep {

/// A send or receive under way; empty once it is complete. The memory it was given must live until then.
struct Request {
  int index = -1;
  [[nodiscard]] bool empty() const { return index < 0; }
};

/// Says in an error what was waited for, and keeps the time that has passed. One object for one wait; made anew for the next.
struct Waiting {
  std::string_view what;  ///< "summing bucket"; the characters must outlive the wait
  std::int64_t step = -1;
  int index = -1;  ///< "… 3 of 7", if not negative; the reader sees index + 1
  int of = 0;

  using Clock = std::chrono::steady_clock;
  Clock::duration silent{};    ///< waited so far since something last arrived; kept by looked()
  Clock::time_point tested{};  ///< last call of looked()

  /// To be called at each look at what is waited for: whether anything `moved` since the last. Time in which nobody looked, because this
  /// worker was itself stopped, counts as one second at most.
  void looked(bool moved);

  /// "summing bucket 3 of 7"
  [[nodiscard]] std::string str() const;
};

/// Idles a little longer each time: first spins, then yields, then sleeps 50 µs, so that a wait does not take a core from computing lanes.
class Backoff {
 public:
  void pause();

 private:
  int turns_ = 0;
};

/// The workers of a job and the messages between them. Nothing here blocks without a deadline: when nothing has arrived for that long the
/// peers that stay silent are named in a WorkerLost. Called by one thread at a time. Messages between two workers with the same tag arrive
/// in the order they were sent. Allocates nothing once as many requests as ever were under way.
/// Every method throws WorkerLost when the network fails and UsageError when the program is wrong (no such rank, sizes that differ).
class Communicator {
 public:
  static constexpr int kTags = 16384;  ///< user tags are 0 … kTags−1

  std::chrono::duration<double> deadline{60};  ///< how long nothing may arrive in a wait
  static constexpr int kPatience = 5;
  int patience = 1;        ///< deadlines in a wait; kPatience where the workers' work is uneven, as at the start
  std::int64_t step = -1;  ///< where the run is, for messages
  [[nodiscard]] std::chrono::duration<double> longest_silence() const { return deadline * patience; }

  Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;
  virtual ~Communicator() = default;

  [[nodiscard]] virtual int rank() const = 0;
  [[nodiscard]] virtual int size() const = 0;
  /// The short name of the machine a worker runs on; gathered at the start, nothing on the wire.
  [[nodiscard]] virtual const std::string& host(int rank) const = 0;

  /// "rank 3 (node07)", for messages.
  [[nodiscard]] std::string name(int rank) const;
  /// "rank 3 (node07), step 1841": this worker, and where the run is.
  [[nodiscard]] std::string place() const;

  /// Starts to send; data.size() bytes on the wire.
  [[nodiscard]] Request send(int to, int tag, std::span<const std::byte> data);
  /// Starts to receive a message of exactly data.size() bytes.
  [[nodiscard]] Request receive(int from, int tag, std::span<std::byte> data);
  /// Moves messages along and empties the requests that are complete; true when all are. `waiting` must be the same object in all tests
  /// of one wait. Throws WorkerLost when none came forward for the deadline; time in which nobody tests counts as one second at most.
  virtual bool test(std::span<Request> requests, Waiting& waiting) = 0;
  /// Tests until all are complete.
  void wait(std::span<Request> requests, Waiting waiting);

  /// `mine` of every worker, in rank order, into `all`. Requires all.size() = mine.size()·size(), the same everywhere.
  /// Each worker sends and receives (size() − 1)·mine.size() bytes.
  virtual void all_gather(std::span<const std::byte> mine, std::span<std::byte> all, Waiting waiting);
  /// `data` of `root` to everyone. Each worker receives data.size() bytes once and passes them on at most ceil(log2 size()) times.
  virtual void broadcast(std::span<std::byte> data, int root, Waiting waiting);
  /// Returns once every worker has called it. (size() − 1) bytes each way.
  virtual void barrier(Waiting waiting);
  /// Ends this worker and all others now, with this exit code, whatever state the launcher is in. Call it when this worker alone has
  /// failed.
  [[noreturn]] virtual void abort(ExitCode code) = 0;

 protected:
  /// What send and receive do once rank and tag are known to be right; also with tags from kTags on, for messages of the communicator's
  /// own.
  [[nodiscard]] virtual Request start_send(int to, int tag, std::span<const std::byte> data) = 0;
  [[nodiscard]] virtual Request start_receive(int from, int tag, std::span<std::byte> data) = 0;
  /// Throws UsageError.
  void require_rank(int peer) const;

 private:
  void gather(int tag, std::span<const std::byte> mine, std::span<std::byte> all, Waiting waiting);

  std::vector<Request> everyone_;  ///< of the collective under way
  std::vector<std::byte> signals_;
};

/// The error of a wait in which these workers have stayed silent for the deadline; names the first few.
[[nodiscard]] WorkerLost no_answer(const Communicator& communicator, std::span<const int> silent, const Waiting& waiting);

/// Rank 0 does `work`, which may take as long as it takes, in another thread; it says every now and then that it is still at it, so that
/// nobody takes it for lost. Every worker must call it, and returns when the work is done. What `work` throws is thrown on rank 0 alone.
void await_root(Communicator& communicator, const std::function<void()>& work, Waiting waiting);

/// Everyone's value, in rank order. T: bytes that may be copied. Every worker must call it.
template <class T>
[[nodiscard]] std::vector<T> gather(Communicator& communicator, const T& mine, std::string_view what) {
  std::vector<T> all(static_cast<std::size_t>(communicator.size()));
  communicator.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)), {what});
  return all;
}

/// A job of one worker: makes no MPI call.
[[nodiscard]] std::unique_ptr<Communicator> self_communicator();

struct MpiOptions {
  std::chrono::duration<double> deadline{60};
  std::size_t longest_message = std::size_t{1} << 30;  ///< longer ones are cut; at most INT_MAX
  int workers = 0;                                     ///< only the first so many; 0: all
};

/// The workers that an MPI launcher started. Every worker must call it; those that do not belong to it get none. Initialises MPI (threads:
/// serialized) unless the program has done so, works on a communicator of its own, and finalises, after a barrier, in the destructor what
/// it has initialised. Throws UsageError as check_job_size does.
[[nodiscard]] std::unique_ptr<Communicator> mpi_communicator(const MpiOptions& options = {});

/// The MPI library's own sum of `mine` over the workers, which the ordered exchange is measured against: MPI_Allreduce, blocking and
/// without a deadline. Requires sum.size() = mine.size(), the same everywhere, at most INT_MAX. A job of one worker copies.
void library_all_reduce(Communicator& workers, std::span<const float> mine, std::span<float> sum);

/// mpi_communicator if an MPI launcher started this process (comm/launcher.hpp), else self_communicator.
[[nodiscard]] std::unique_ptr<Communicator> connect_workers(const MpiOptions& options = {});

}  // namespace lockstep
