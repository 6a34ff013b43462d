#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <tuple>
#include <utility>

#include "lockstep/error.hpp"
#include "runtime/cores.hpp"
#include "train/checkpoint.hpp"
#include "train/read_number.hpp"
#include "train/whole_file.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";
constexpr std::string_view kSuffix = ".h5";
constexpr const char* kBest = "best.h5";

fs::path file_of(const fs::path& folder, std::uint64_t step) { return folder / fmt::format("{}{:09}{}", kPrefix, step, kSuffix); }

std::optional<std::uint64_t> step_of(const fs::path& file) {
  const std::string name = file.filename().string();
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) {
    return std::nullopt;
  }
  return read_number<std::uint64_t>(std::string_view(name).substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size()));
}

/// Checkpoint files by step, newest first; none if there is no such folder.
std::map<std::uint64_t, fs::path, std::greater<>> steps_in(const fs::path& folder) {
  std::map<std::uint64_t, fs::path, std::greater<>> files;
  std::error_code none;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, none)) {
    if (const std::optional<std::uint64_t> step = step_of(entry.path())) {
      files.emplace(*step, entry.path());
    }
  }
  return files;
}

/// Leaves the newest `keep`; with `first`, of those up to `step`. Then, at a process's first checkpoint, files of later steps are damaged
/// ones that training was taken back from: were they kept, they would be tried again at every start. Later on they are another process's,
/// which took the folder over while this one stood still. Temporary files are what a killed process left.
void delete_old(const fs::path& folder, std::uint64_t step, std::size_t keep, bool first) {
  std::size_t kept = 0;
  std::error_code ignored;  // A file that cannot be deleted does no harm.
  for (const auto& [number, file] : steps_in(folder)) {
    if ((first && number > step) || ++kept > keep) {
      fs::remove(file, ignored);
    }
  }
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.path().extension() == ".tmp") {
      fs::remove(entry.path(), ignored);
    }
  }
}

/// The bytes of the checkpoint, in `memory`.
std::vector<std::byte> write_files(const fs::path& folder, const Checkpoint& checkpoint, const Checkpoint* best, std::size_t keep,
                                   bool first, std::vector<std::byte> memory) {
  std::error_code ignored;  // What is written into it then tells.
  fs::create_directories(folder, ignored);
  if (best != nullptr) {
    memory = serialize(*best, std::move(memory));
    write_whole_file(folder / kBest, memory);
  }
  if (best != &checkpoint) {
    memory = serialize(checkpoint, std::move(memory));
  }
  write_whole_file(file_of(folder, checkpoint.step), memory);
  delete_old(folder, checkpoint.step, keep, first);
  return memory;
}

}  // namespace

CheckpointStore::CheckpointStore(const fs::path& run_folder, int keep)
    : folder_(run_folder / "checkpoints"), keep_(static_cast<std::size_t>(std::max(keep, 1))) {}

void CheckpointStore::write(Shared checkpoint, Shared best) {
  wait();
  pending_ =
      std::async(std::launch::async, [folder = folder_, keep = keep_, track = track_, first = std::exchange(first_, false),
                                      checkpoint = std::move(checkpoint), best = std::move(best), memory = std::move(memory_)]() mutable {
        use_all_cores();
        const auto start = std::chrono::steady_clock::now();
        const Traced traced(track, "write checkpoint", checkpoint->step - 1);
        memory = write_files(folder, *checkpoint, best.get(), keep, first, std::move(memory));
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
        return std::pair(Written{checkpoint->step, memory.size(), took.count()}, std::move(memory));
      });
}

std::optional<CheckpointStore::Written> CheckpointStore::ended() {
  if (writing() && pending_.wait_for(std::chrono::seconds(0)) == std::future_status::ready) {
    wait();
  }
  return std::exchange(written_, std::nullopt);
}

void CheckpointStore::wait() {
  if (writing()) {
    std::tie(written_, memory_) = pending_.get();
  }
}

std::optional<Checkpoint> CheckpointStore::load_latest(const std::function<void(const std::string&)>& report) const {
  const auto files = steps_in(folder_);
  for (const auto& [step, file] : files) {
    try {
      return parse(read_whole_file(file), file.string());
    } catch (const NewerCheckpoint&) {
      throw;
    } catch (const CheckpointError& error) {
      report(fmt::format("{}; taking the one before.", error.what()));
    }
  }
  if (!files.empty()) {
    throw CheckpointError(fmt::format("none of the {} checkpoints in {} can be read.\n  Delete that folder to start from the beginning.",
                                      files.size(), folder_.string()));
  }
  return std::nullopt;
}

std::optional<Checkpoint> CheckpointStore::load_best() const {
  const fs::path file = folder_ / kBest;
  return fs::exists(file) ? std::optional(parse(read_whole_file(file), file.string())) : std::nullopt;
}

}  // namespace lockstep
