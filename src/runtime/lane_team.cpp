#include "runtime/lane_team.hpp"

#include <omp.h>

#include <utility>

#include "runtime/cores.hpp"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace lockstep {
namespace {

constexpr int kSpins = 2000;  ///< some 40 µs: less than waking a thread takes

#if defined(__SSE2__)
void relax() { _mm_pause(); }

void flush_denormals() {
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
}
#else
void relax() {}
void flush_denormals() {}
#endif

/// Waits until `value` is no longer `old`.
template <class T>
void await_change(const std::atomic<T>& value, T old) {
  for (int i = 0; i < kSpins; ++i) {
    if (value.load(std::memory_order_acquire) != old) {
      return;
    }
    relax();
  }
  value.wait(old, std::memory_order_acquire);
}

}  // namespace

void prepare_compute_thread() {
  omp_set_num_threads(1);
  flush_denormals();
}

HeldSignals::HeldSignals() {
  sigset_t from_outside;
  sigfillset(&from_outside);
  for (const int own : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP}) {
    sigdelset(&from_outside, own);
  }
  pthread_sigmask(SIG_BLOCK, &from_outside, &before_);
}

HeldSignals::~HeldSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

void LaneTeam::prepare(int thread) const {
  prepare_compute_thread();
  if (!cores_.empty()) {
    pin_thread(cores_[static_cast<std::size_t>(thread)]);
  }
}

LaneTeam::LaneTeam(int threads, std::vector<int> cores) : threads_(threads), cores_(std::move(cores)) {
  prepare(0);
  const HeldSignals held;
  try {
    for (int t = 1; t < threads; ++t) {
      others_.emplace_back([this, t] { serve(t); });
    }
  } catch (...) {  // the system gives no more threads: those that have started must end before they are joined
    stop();
    throw;
  }
}

LaneTeam::~LaneTeam() {
  stop();
  if (!cores_.empty()) {
    use_all_cores();
  }
}

void LaneTeam::stop() {
  stopping_ = true;
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
}

void LaneTeam::run(const std::function<void(int)>& work) {
  const HeldSignals held;
  work_ = &work;
  failed_ = false;
  busy_.store(threads_ - 1, std::memory_order_relaxed);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  call(0);
  for (int left = busy_.load(std::memory_order_acquire); left != 0; left = busy_.load(std::memory_order_acquire)) {
    await_change(busy_, left);
  }
  if (error_) {
    std::rethrow_exception(std::exchange(error_, nullptr));
  }
}

void LaneTeam::serve(int thread) {
  prepare(thread);
  std::uint32_t seen = 0;
  while (true) {
    await_change(round_, seen);
    ++seen;
    if (stopping_) {
      return;
    }
    call(thread);
    if (busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) {
      busy_.notify_all();
    }
  }
}

void LaneTeam::call(int thread) noexcept {
  try {
    (*work_)(thread);
  } catch (...) {
    const std::lock_guard lock(error_mutex_);
    if (!error_) {
      error_ = std::current_exception();
    }
    failed_ = true;
  }
}

}  // namespace lockstep
