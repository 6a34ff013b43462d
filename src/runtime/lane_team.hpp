#pragma once

#include <atomic>
#include <csignal>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace lockstep {

/// What every thread that computes sets before it starts: one OpenMP thread for the libraries, denormals flushed to zero. The same
/// everywhere, since both change bits.
void prepare_compute_thread();

/// While it lives, this thread and those that it starts take no signals from outside: these go to other threads, or wait. oneDNN's
/// dnnl_sgemm moves the stack pointer to a buffer of the heap, and a handler that ran there would write before the buffer.
class HeldSignals {
 public:
  HeldSignals();
  HeldSignals(const HeldSignals&) = delete;
  HeldSignals& operator=(const HeldSignals&) = delete;
  ~HeldSignals();

 private:
  sigset_t before_;
};

/// The threads of a worker. The thread that calls `run` is number 0; the others wait in between, spinning a little and then asleep.
/// Signals are held while they work.
class LaneTeam {
 public:
  /// `cores`: where each thread is to stay; empty: where the system puts it.
  explicit LaneTeam(int threads, std::vector<int> cores = {});
  LaneTeam(const LaneTeam&) = delete;
  LaneTeam& operator=(const LaneTeam&) = delete;
  ~LaneTeam();

  [[nodiscard]] int threads() const { return threads_; }

  /// Runs work(0) … work(threads − 1) at once and returns when all are done. The first exception is thrown again here; work that waits for
  /// other threads must ask `failed` and return.
  void run(const std::function<void(int)>& work);
  [[nodiscard]] bool failed() const { return failed_.load(std::memory_order_relaxed); }

 private:
  void stop();
  void serve(int thread);
  void prepare(int thread) const;
  void call(int thread) noexcept;

  int threads_;
  std::vector<int> cores_;
  const std::function<void(int)>* work_ = nullptr;
  std::atomic<std::uint32_t> round_{0};
  std::atomic<int> busy_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> failed_{false};
  std::mutex error_mutex_;
  std::exception_ptr error_;
  std::vector<std::jthread> others_;
};

}  // namespace lockstep
