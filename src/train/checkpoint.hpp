#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "lockstep/error.hpp"
#include "plan/flat_layout.hpp"
#include "runtime/trace.hpp"
#include "train/named_tensor.hpp"

namespace lockstep {

/// All that a run needs to go on, and nothing that depends on the number of workers or threads.
struct Checkpoint {
  std::string model;                    ///< JSON text of the graphs
  std::vector<NamedTensor> parameters;  ///< with the running statistics
  std::vector<NamedTensor> optimizer;   ///< such as "momentum/conv1.weight"
  std::uint64_t epoch = 0;
  std::uint64_t step_in_epoch = 0;
  std::uint64_t step = 0;
  nlohmann::ordered_json progress;  ///< the epoch's accumulators so far, early stopping, hash of the best checkpoint, history
  nlohmann::ordered_json settings;
  std::string fingerprint;
  std::string dataset_checksum;
  bool operator==(const Checkpoint&) const = default;
};

/// Written by a newer version of Lockstep.
struct NewerCheckpoint : CheckpointError {
  using CheckpointError::CheckpointError;
};

/// The state under which averaged weights are kept, of all tensors.
inline constexpr const char* kAverage = "average";

/// The tensors that the run would end with: the averaged ones where it keeps some, else the parameters.
[[nodiscard]] std::vector<NamedTensor> model_of(const Checkpoint& checkpoint);

/// The bytes of a checkpoint file: an HDF5 file (/parameters/NAME, /optimizer/NAME as f32; /model, /progress, /settings as JSON text in
/// u8; positions and hashes as attributes of /) and 64 bytes after its end, which HDF5 ignores:
/// "lockstep-sha256:", the SHA-256 of the HDF5 file, its length (u64, little-endian), 8 zero bytes.
/// The same contents give the same bytes; doubles in the JSON survive exactly, NaN and infinities too.
/// Throws UsageError if a tensor's values do not fit its shape, a name is empty or comes twice. `memory` is emptied and used for them.
[[nodiscard]] std::vector<std::byte> serialize(const Checkpoint& checkpoint, std::vector<std::byte> memory = {});

/// Verifies the hash, then reads. Tensors come in the order in which they were given to `serialize`.
/// Throws CheckpointError "NAME is damaged (why)", or NewerCheckpoint.
[[nodiscard]] Checkpoint parse(std::span<const std::byte> bytes, const std::string& name);

/// What first keeps stored tensors from being loaded into a model with this layout, as a sentence for the
/// user; none if they fit. The order does not matter.
[[nodiscard]] std::optional<std::string> first_difference(std::span<const NamedTensor> stored, const FlatLayout& wanted);

/// The checkpoints of one run, in RUN/checkpoints: step-000000123.h5 and best.h5. One thread uses a store; writing goes on in another.
class CheckpointStore {
 public:
  /// Keeps the newest `keep` (at least 1) checkpoints and the best one. Creates nothing before the first write.
  CheckpointStore(const std::filesystem::path& run_folder, int keep);

  using Shared = std::shared_ptr<const Checkpoint>;
  /// A checkpoint that is on the disk, and what it took.
  struct Written {
    std::uint64_t step = 0;
    std::size_t bytes = 0;
    double seconds = 0;
  };

  /// Waits for the write before, then starts to write `checkpoint` as step-STEP.h5, and before that `best`, if there is one (it may be the
  /// same), as best.h5: a run that is killed between the two comes to the same best checkpoint again. All work, serialising too, is done in
  /// the other thread. Each file appears whole or not at all (see write_whole_file). Throws CheckpointError with the reason if the write
  /// before failed; `checkpoint` is then not written.
  void write(Shared checkpoint, Shared best = nullptr);

  [[nodiscard]] bool writing() const { return pending_.valid(); }
  /// The write that has ended since the last call, if there is one. Throws CheckpointError if it failed.
  [[nodiscard]] std::optional<Written> ended();

  /// Every write from now on, as one of the step before; null: no more.
  void trace(TraceTrack* track) { track_ = track; }

  /// Waits for the write under way, if any. Throws CheckpointError if it failed.
  void wait();

  /// The newest checkpoint that is whole. One that a newer version has written ends the search with a CheckpointError. `report` gets a
  /// sentence for each damaged one that is passed over. None if there are no checkpoints; throws CheckpointError if there are some and all
  /// are damaged. Requires: no write under way.
  [[nodiscard]] std::optional<Checkpoint> load_latest(const std::function<void(const std::string&)>& report) const;
  /// The best checkpoint; none if there is none. Throws CheckpointError if it is damaged.
  [[nodiscard]] std::optional<Checkpoint> load_best() const;

 private:
  std::filesystem::path folder_;
  std::size_t keep_;
  TraceTrack* track_ = nullptr;
  bool first_ = true;                                                ///< nothing was written yet
  std::future<std::pair<Written, std::vector<std::byte>>> pending_;  ///< with the file's bytes
  std::optional<Written> written_;
  std::vector<std::byte> memory_;  ///< of the last file's bytes, for the next one's
};

}  // namespace lockstep
