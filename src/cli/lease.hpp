#pragma once

#include <condition_variable>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

namespace lockstep::cli {

/// Keeps other jobs out of a run folder while it lives. RUN/lease.json names the host and the process that train there and is written
/// again every few seconds; no locks, which shared file systems keep badly. Whoever finds one takes it over when it is stale: on the same
/// machine when that process is gone, elsewhere when it has not been written for kStale. Times are those that the file system gives, so
/// machines' clocks do not matter.
class Lease {
 public:
  static constexpr double kHeartbeat = 5, kStale = 20;  ///< seconds

  /// Takes the lease of a folder, which it creates. `say` gets a word where a stale one is taken over. May take kStale seconds to find out
  /// whether the owner lives. Throws UsageError naming the owner where it does.
  Lease(const std::filesystem::path& run, const std::function<void(const std::string&)>& say);
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  /// Gives it back.
  ~Lease();

 private:
  void write();
  void keep(const std::stop_token& stop);

  std::filesystem::path file_;
  std::string mine_;  ///< all of it but the number of the heartbeat
  int beats_ = 0;
  std::mutex mutex_;
  std::condition_variable_any ends_;
  std::jthread keeper_;
};

}  // namespace lockstep::cli
