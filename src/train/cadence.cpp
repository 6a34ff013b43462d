#include "train/cadence.hpp"

#include <algorithm>

namespace lockstep {

using Seconds = std::chrono::duration<double>;

Wish Cadence::wish(Clock::time_point now, std::uint64_t step, bool epoch_ends, bool writing) {
  if (asked_ && steps_++ > 0) {  // the first step also makes what later ones use
    slowest_step_ = std::max(slowest_step_, Seconds(now - *asked_).count());
  }
  asked_ = now;
  const Seconds since = now - begun_;
  due_ = due_ || (settings_.steps > 0 && step % settings_.steps == 0) || (settings_.seconds > 0 && since.count() >= settings_.seconds) ||
         (epoch_ends && since >= kShortEpoch);
  if (settings_.end && now + margin() >= *settings_.end) {
    return Wish::stop;
  }
  return due_ && !writing ? Wish::checkpoint : Wish::nothing;
}

void Cadence::begun(Clock::time_point now, double seconds) {
  begun_ = now;
  due_ = false;
  slowest_copy_ = std::max(slowest_copy_, seconds);
}

void Cadence::written(double seconds) { slowest_write_ = std::max(slowest_write_, seconds); }

Seconds Cadence::margin() const { return Seconds(2 * (slowest_step_ + slowest_copy_ + slowest_write_)); }

}  // namespace lockstep
