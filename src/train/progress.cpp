#include "train/progress.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <ostream>
#include <utility>

namespace lockstep {
namespace {

constexpr double kRedrawEvery = 0.1;
constexpr std::size_t kBar = 20;

double steady_seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string bar(const ProgressState& state) {
  const std::uint64_t full = state.steps == 0 ? 0 : kBar * std::min(state.step, state.steps) / state.steps;
  return fmt::format("[{:#>{}}{:.>{}}] ", "", full, "", kBar - full);
}

}  // namespace

ProgressSettings ProgressSettings::for_stdout() {
  ProgressSettings settings;
  settings.terminal = ::isatty(STDOUT_FILENO) != 0;
  winsize size{};
  if (settings.terminal && ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col == 0) {
    // Open MPI gives its workers a pseudo-terminal without a width even where mpirun writes to a file: what mpirun itself has counts.
    const int starter = ::open(fmt::format("/proc/{}/fd/1", ::getppid()).c_str(), O_WRONLY | O_NOCTTY | O_CLOEXEC);
    settings.terminal = starter >= 0 && ::isatty(starter) != 0;
    if (starter >= 0) {
      ::ioctl(starter, TIOCGWINSZ, &size);
      ::close(starter);
    }
  }
  if (size.ws_col > 0) {
    settings.width = size.ws_col;
  }
  return settings;
}

Progress::Progress(std::ostream& out, ProgressSettings settings, std::function<double()> clock)
    : out_(out), settings_(settings), clock_(clock ? std::move(clock) : steady_seconds), last_(clock_()) {}

Progress::~Progress() {
  if (bar_drawn_) {
    out_ << '\n' << std::flush;
  }
}

void Progress::update(const ProgressState& state) {
  if (settings_.quiet) {
    return;
  }
  const double now = clock_();
  if (!start_) {
    start_ = Start{now, state.steps_left};
  }
  const bool first_bar = settings_.terminal && !bar_drawn_;
  if (!first_bar && now - last_ < (settings_.terminal ? kRedrawEvery : settings_.line_every)) {
    return;
  }
  last_ = now;
  const std::string head = fmt::format("epoch {}/{} ", state.epoch, state.epochs);
  const std::string tail = fmt::format("step {}/{} loss {:.4f} {:.0f} samples/s eta {}", state.step, state.steps, state.loss,
                                       state.samples_per_second, eta(state, now));
  std::string line = head + tail;
  if (settings_.terminal) {
    const std::string drawn = bar(state);
    line = line.size() + drawn.size() < settings_.width ? head + drawn + tail : line;  // the figures matter more than the bar
    line.resize(std::min<std::size_t>(line.size(), settings_.width - 1));              // a line that wraps could not be redrawn
    out_ << '\r' << line << "\x1b[K" << std::flush;
    bar_drawn_ = true;
  } else {
    out_ << line << '\n' << std::flush;
  }
}

void Progress::say(std::string_view text) {
  if (settings_.quiet) {
    return;
  }
  if (bar_drawn_) {
    out_ << "\r\x1b[K";
    bar_drawn_ = false;
  }
  out_ << text << '\n' << std::flush;
}

/// m:ss or h:mm:ss at the pace since the first update.
std::string Progress::eta(const ProgressState& state, double now) const {
  if (state.steps_left >= start_->steps_left) {
    return "-:--";
  }
  const double per_step = (now - start_->time) / static_cast<double>(start_->steps_left - state.steps_left);
  const auto seconds = static_cast<std::int64_t>(std::ceil(per_step * static_cast<double>(state.steps_left)));
  if (seconds >= 3600) {
    return fmt::format("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  }
  return fmt::format("{}:{:02}", seconds / 60, seconds % 60);
}

}  // namespace lockstep
