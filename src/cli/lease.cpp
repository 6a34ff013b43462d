#include "cli/lease.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <system_error>

#include "comm/launcher.hpp"
#include "lockstep/error.hpp"
#include "runtime/cores.hpp"
#include "train/run_folder.hpp"

namespace lockstep::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kSame[] = {"host", "machine", "process", "started"};

std::string text_of(const fs::path& file) {
  std::ifstream stream(file);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// When a process of this machine was started, in ticks: another one of the same number has another; empty: there is none, or it has ended
/// and its parent does not care.
std::string start_of(long process) {
  const std::string stat = text_of(fmt::format("/proc/{}/stat", process));
  const std::size_t name_ends = stat.rfind(')');
  if (name_ends == std::string::npos) {
    return "";
  }
  std::istringstream words(stat.substr(name_ends + 1));
  constexpr int kStarted = 20;  // the state, after the name, is word 1
  std::string state, word;
  words >> state;
  for (int i = 1; i < kStarted; ++i) {
    words >> word;
  }
  return state == "Z" || state == "X" ? "" : word;
}

/// Where process numbers mean the same: this start of the machine, and the container.
std::string machine() {
  std::error_code none;
  std::string boot = text_of("/proc/sys/kernel/random/boot_id");
  boot.erase(boot.find_last_not_of('\n') + 1);
  return fmt::format("{} {}", boot, fs::read_symlink("/proc/self/ns/pid", none).string());
}

Json identity() {
  return {{"host", short_host_name()}, {"machine", machine()}, {"process", ::getpid()}, {"started", start_of(::getpid())}};
}

/// A lease as it is found; nothing where there is none. What cannot be read, as when it is just being written, has no owner.
std::optional<Json> find(const fs::path& file) {
  const std::string text = text_of(file);
  if (text.empty() && !fs::exists(file)) {
    return std::nullopt;
  }
  const Json json = Json::parse(text, nullptr, false);
  return json.is_object() ? json : Json::object();
}

bool same_owner(const Json& a, const Json& b) {
  return std::ranges::all_of(kSame, [&](const char* key) { return a.value(key, Json()) == b.value(key, Json()); });
}

std::string owner_of(const Json& lease) {
  return fmt::format("process {} on host {}", lease.value("process", Json()).dump(), lease.value("host", "?"));
}

double modified(const fs::path& file) {
  struct stat about {};
  constexpr double kNano = 1e-9;
  return ::stat(file.c_str(), &about) == 0 ? static_cast<double>(about.st_mtim.tv_sec) + kNano * static_cast<double>(about.st_mtim.tv_nsec)
                                           : 0;
}

/// Seconds since the lease was written, by the file system's own clock.
double age_of(const fs::path& file) {
  const fs::path probe = fmt::format("{}.{}.{}", file.string(), short_host_name(), ::getpid());
  std::ofstream(probe) << "now\n";
  const double age = modified(probe) - modified(file);
  std::error_code none;
  fs::remove(probe, none);
  return age;
}

/// Why the lease `found` may be taken over; nothing: its owner lives.
std::optional<std::string> stale(const fs::path& file, const Json& found) {
  if (found.value("machine", "") == machine()) {
    const Json process = found.value("process", Json());
    const bool lives = process.is_number_integer() && start_of(process.get<long>()) == found.value("started", "?");
    return lives ? std::nullopt : std::optional<std::string>("it has ended");
  }
  constexpr useconds_t kLook = 250'000;
  const auto begin = std::chrono::steady_clock::now();
  while (true) {
    const std::chrono::duration<double> watched =
        std::chrono::steady_clock::now() - begin;  // also where the file system's clock is set back
    if (const double age = std::max(age_of(file), watched.count()); age >= Lease::kStale) {
      return fmt::format("no sign of life for {:.0f} s", age);
    }
    ::usleep(kLook);
    const std::optional<Json> now = find(file);
    if (!now) {
      return "it has been given back";
    }
    if (*now != found && !now->empty()) {
      return std::nullopt;
    }
  }
}

}  // namespace

Lease::Lease(const fs::path& run, const std::function<void(const std::string&)>& say) : file_(RunFolder(run).path() / "lease.json") {
  if (const std::optional<Json> found = find(file_); found && !same_owner(*found, identity())) {
    const std::optional<std::string> why = stale(file_, *found);
    if (!why) {
      throw UsageError(
          fmt::format("the run folder {} is in use: {} trains there ({}).\n"
                      "  Let that job end, or give another --run.",
                      run.string(), owner_of(*found), file_.string()));
    }
    say(fmt::format("takes the run folder over from {}: {}", owner_of(*found), *why));
  }
  mine_ = identity().dump();
  mine_.pop_back();
  std::error_code none;
  fs::remove(file_, none);
  write();
  keeper_ = std::jthread([this](const std::stop_token& stop) { keep(stop); });
}

Lease::~Lease() {
  keeper_.request_stop();
  keeper_.join();
  std::error_code none;
  fs::remove(file_, none);
}

/// In place: where the file system is shared, others see a new file of the same name late.
void Lease::write() {
  const std::string text =
      fmt::format("{},\"written\":\"{:%Y-%m-%dT%H:%M:%SZ}\",\"heartbeat\":{:9}}}\n", mine_, fmt::gmtime(std::time(nullptr)), ++beats_);
  const int file = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  const bool whole = file >= 0 && ::pwrite(file, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size());
  const int error = errno;
  if (file >= 0) {
    ::close(file);
  }
  if (!whole && beats_ == 1) {  // later the file is there, and a disk that is full for a while does no harm
    throw UsageError(fmt::format("{} cannot be written: {}.", file_.string(), std::generic_category().message(error)));
  }
}

void Lease::keep(const std::stop_token& stop) {
  use_all_cores();
  std::unique_lock lock(mutex_);
  while (!ends_.wait_for(lock, stop, std::chrono::duration<double>(kHeartbeat), [&stop] { return stop.stop_requested(); })) {
    const std::optional<Json> found = find(file_);
    if (found && !found->empty() && !same_owner(*found, identity())) {  // it stood still for so long that it was taken for dead
      std::fprintf(stderr, "rank 0 (%s): the run folder was taken over by %s; this job ends.\n", short_host_name().c_str(),
                   owner_of(*found).c_str());
      std::fflush(nullptr);
      std::_Exit(static_cast<int>(ExitCode::checkpoint));
    }
    write();
  }
}

}  // namespace lockstep::cli
