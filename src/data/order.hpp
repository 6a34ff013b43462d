#pragma once

#include <cstddef>
#include <vector>

#include "runtime/philox.hpp"

/// Which samples go where: pure functions of (seed, epoch, dataset, batch, lanes), the same for every number of workers and threads.
namespace lockstep {

/// How an epoch of n samples is cut into steps, and each step over the lanes. Every sample belongs to exactly one (step, lane).
/// Step s takes samples x_s … x_{s+1} − 1 of the epoch, x_s = min(s·B, n), and lane v of V takes
/// floor((x_{s+1} + v) / V) − floor((x_s + v) / V) of them: by Hermite's identity these add up to x_{s+1} − x_s, differ by at most one, and
/// over the epoch a lane gets floor((n + v) / V).
/// With min_lane 2 (batch norm needs two samples to have a variance) no lane that works in a step has fewer than 2: at most n/2 lanes are
/// used, and a last step too short for them is shared out with the step before it, as two halves or as one longer step.
class StepTable {
 public:
  /// Requires samples ≥ 1, batch ≥ 1, lanes ≥ 1, min_lane 1 or 2. Throws UsageError if min_lane cannot be had.
  StepTable(std::int64_t samples, std::int64_t batch, int lanes, int min_lane = 1);

  [[nodiscard]] std::int64_t steps() const { return static_cast<std::int64_t>(tail_.size()) + whole_ - 1; }
  [[nodiscard]] std::int64_t samples() const { return samples_; }
  [[nodiscard]] int lanes() const { return lanes_; }
  /// Lanes 0 … used_lanes() − 1 get samples; the others stay empty.
  [[nodiscard]] int used_lanes() const { return used_lanes_; }
  [[nodiscard]] std::int64_t samples(std::int64_t step) const { return boundary(step + 1) - boundary(step); }
  [[nodiscard]] std::int64_t lane_samples(std::int64_t step, int lane) const;
  /// Of every lane.
  [[nodiscard]] std::vector<int> lane_samples(std::int64_t step) const;
  /// Position of the lane's first sample of the step in the lane's own stream.
  [[nodiscard]] std::int64_t lane_begin(std::int64_t step, int lane) const;
  /// Place in the whole batch of the lane's first sample.
  [[nodiscard]] std::int64_t first_row(std::int64_t step, int lane) const;
  /// Samples of the lane in an epoch.
  [[nodiscard]] std::int64_t stream_length(int lane) const;
  /// The most samples any lane gets in any step: what buffers and plans are made for.
  [[nodiscard]] std::int64_t max_lane_samples() const;

 private:
  [[nodiscard]] std::int64_t boundary(std::int64_t step) const {
    return step < whole_ ? step * batch_ : tail_[static_cast<std::size_t>(step - whole_)];
  }

  std::int64_t samples_;
  std::int64_t batch_;
  int lanes_;
  int used_lanes_;
  std::int64_t whole_ = 0;          ///< boundaries 0 … whole_ − 1 are multiples of the batch
  std::vector<std::int64_t> tail_;  ///< those after; the last one is n
};

/// Where i < n goes in a keyed permutation of 0 … n − 1 that needs no table: a Feistel network over the next power of two, its rounds
/// Philox, walked until the result is below n (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
[[nodiscard]] std::uint64_t permuted(std::uint64_t i, std::uint64_t n, PhiloxKey key, std::uint64_t tweak);

enum class OrderKind : std::uint8_t {
  chunk,      ///< chunks permuted, then samples within a window of each lane's stream: every chunk is read about once
  sample,     ///< single samples permuted: needs the whole dataset in memory
  sequential  ///< not permuted
};
/// "chunk", "sample", "sequential"; throws UsageError on another name.
[[nodiscard]] OrderKind order_from(std::string_view name);
[[nodiscard]] std::string_view name_of(OrderKind kind);
/// What `--order` is by default: sample up to 256 MiB of stored data, chunk above.
[[nodiscard]] OrderKind default_order(std::size_t dataset_bytes);

/// Where a sample lies: a chunk of the list given to SampleOrder and a row in it.
struct SamplePlace {
  std::int64_t chunk = 0;
  std::int64_t row = 0;
  bool operator==(const SamplePlace&) const = default;
};

/// The order of the samples of one epoch. The chunks, permuted by key, make one long line of samples; the line is cut into one stream a
/// lane; each lane permutes by key within windows of its own stream (4 × the largest chunk). Lanes' windows are staggered, so that lanes
/// do not all read at the same step. Holds one number a chunk and none a sample.
class SampleOrder {
 public:
  /// Requires Σ chunk_rows = table.samples(), each chunk ≥ 1 row.
  SampleOrder(OrderKind kind, std::uint64_t seed, std::uint64_t epoch, const std::vector<std::int64_t>& chunk_rows, const StepTable& table);

  /// Samples that a lane uses one after another, the first at position `begin` of its stream.
  struct Window {
    std::int64_t begin = 0;
    std::vector<SamplePlace> places;
  };
  /// The window that holds a position of the lane's stream.
  [[nodiscard]] Window window_at(int lane, std::int64_t position) const;
  [[nodiscard]] OrderKind kind() const { return kind_; }

 private:
  [[nodiscard]] SamplePlace place(std::int64_t line) const;

  OrderKind kind_;
  std::uint64_t seed_;
  std::uint64_t epoch_;
  std::int64_t samples_;
  int lanes_;
  std::int64_t window_rows_ = 0;
  std::vector<std::int64_t> chunks_;       ///< the line: chunk numbers in order
  std::vector<std::int64_t> chunk_ends_;   ///< cumulative rows along the line
  std::vector<std::int64_t> lane_begins_;  ///< where each lane's stream starts in the line; one more for the end
};

}  // namespace lockstep
