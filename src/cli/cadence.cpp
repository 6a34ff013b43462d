#include "cli/cadence.hpp"

#include <algorithm>
#include <csignal>

namespace lockstep::cli {
namespace {

// A signal can reach the program only through a global.
volatile std::sig_atomic_t asked = 0;

void on_stop(int) { asked = 1; }

void on_interrupt(int signal) {
  asked = 1;
  std::signal(signal, SIG_DFL);
}

void on_both(void (*handler)(int)) {
  for (const int signal : {SIGINT, SIGTERM}) {
    if (std::signal(signal, handler) == SIG_IGN) {
      std::signal(signal, SIG_IGN);
    }
  }
}

}  // namespace

void listen_for_stop() { std::signal(SIGUSR1, on_stop); }
bool asked_to_stop() { return asked != 0; }

Interruptible::Interruptible() { on_both(on_interrupt); }
Interruptible::~Interruptible() { on_both(SIG_DFL); }

Wish Cadence::wish(Clock::time_point now, const Moment& moment) {
  if (asked_ && steps_++ > 0) {  // the first step also makes what later ones use
    slowest_step_ = std::max(slowest_step_, Seconds(now - *asked_).count());
  }
  asked_ = now;
  slowest_copy_ = std::max(slowest_copy_, moment.copying);
  slowest_write_ = std::max(slowest_write_, moment.written);
  const Seconds since = now - begun_;
  due_ = due_ || (settings_.steps > 0 && moment.step % settings_.steps == 0) ||
         (settings_.seconds > 0 && since.count() >= settings_.seconds) || (moment.epoch_ends && since >= kShortEpoch);
  const Seconds margin(2 * (slowest_step_ + slowest_copy_ + slowest_write_));
  if (settings_.end && now + margin >= *settings_.end) {
    return Wish::stop;
  }
  if (!due_ || moment.writing) {
    return Wish::nothing;
  }
  due_ = false;
  begun_ = now;
  return Wish::checkpoint;
}

}  // namespace lockstep::cli
