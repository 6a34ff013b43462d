#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <string_view>
#include <vector>

namespace lockstep {

/// What was done from when to when; plain bytes, so that it can be sent as it is.
struct TraceSpan {
  std::array<char, 36> what{};      ///< cut where it is longer; ends with a zero
  std::int32_t number = -1;         ///< after it, such as of a bucket; −1: none
  std::uint64_t step = 0;           ///< of the run, from 0
  std::int64_t begin = 0, end = 0;  ///< nanoseconds of this machine's steady clock
};

/// A list of spans that one thread at a time writes, without locks and without allocating: the first kMost of the steps that it is for; the
/// others are counted.
class TraceTrack {
 public:
  using Clock = std::chrono::steady_clock;
  static constexpr std::size_t kMost = std::size_t{1} << 15;

  TraceTrack(std::uint64_t from, std::uint64_t to) : from_(from), to_(to) { spans_.reserve(kMost); }

  [[nodiscard]] bool covers(std::uint64_t step) const { return step >= from_ && step < to_; }
  void add(std::string_view what, std::int32_t number, std::uint64_t step, Clock::time_point begin, Clock::time_point end) {
    if (!covers(step)) {
      return;
    }
    if (spans_.size() == kMost) {
      ++dropped_;
      return;
    }
    TraceSpan& span = spans_.emplace_back();
    std::copy_n(what.data(), std::min(what.size(), span.what.size() - 1), span.what.data());
    span.number = number;
    span.step = step;
    span.begin = nanoseconds(begin);
    span.end = nanoseconds(end);
  }
  [[nodiscard]] const std::vector<TraceSpan>& spans() const { return spans_; }
  [[nodiscard]] std::int64_t dropped() const { return dropped_; }
  [[nodiscard]] static std::int64_t nanoseconds(Clock::time_point time) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(time.time_since_epoch()).count();
  }

 private:
  std::uint64_t from_, to_;
  std::vector<TraceSpan> spans_;
  std::int64_t dropped_ = 0;
};

/// Adds what is done from here to the end of the scope; nothing, not even a look at the clock, where there is no track.
class Traced {
 public:
  Traced(TraceTrack* track, std::string_view what, std::uint64_t step, std::int64_t number = -1)
      : track_(track),
        what_(what),
        step_(step),
        number_(number),
        begin_(track != nullptr ? TraceTrack::Clock::now() : TraceTrack::Clock::time_point()) {}
  Traced(const Traced&) = delete;
  Traced& operator=(const Traced&) = delete;
  ~Traced() {
    if (track_ != nullptr) {
      track_->add(what_, static_cast<std::int32_t>(number_), step_, begin_, TraceTrack::Clock::now());
    }
  }

 private:
  TraceTrack* track_;
  std::string_view what_;
  std::uint64_t step_;
  std::int64_t number_;
  TraceTrack::Clock::time_point begin_;
};

/// What a worker does in some steps of a run: a track for each of its lanes, for the exchange and the sums of each of its threads, for the
/// reader of its data and for the writer of checkpoints.
struct Trace {
  std::uint64_t from = 0, to = 0;  ///< steps; to is the first that is not traced
  bool from_start = false;         ///< they count from where the run starts or goes on

  std::int64_t first = 0;  ///< when its first traced step began, nanoseconds; 0: there was none
  int lane_begin = 0;
  std::vector<TraceTrack> lanes{}, network{}, reader{}, writer{};  ///< the last two: one

  /// Makes the tracks; once it is known where the run starts.
  void prepare(std::uint64_t start, int first_lane, int lane_count, int threads) {
    from += from_start ? start : 0;
    to += from_start ? start : 0;
    lane_begin = first_lane;
    const auto make = [this](std::vector<TraceTrack>& tracks, int count) {
      for (int i = 0; i < count; ++i) {
        tracks.emplace_back(from, to);
      }
    };
    make(lanes, lane_count);
    make(network, threads);
    make(reader, 1);
    make(writer, 1);
  }
};

}  // namespace lockstep
