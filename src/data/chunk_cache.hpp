#pragma once

#include <atomic>
#include <unordered_map>

#include "data/dataset.hpp"

namespace lockstep {

/// Chunks of one dataset kept in memory up to a budget; the least recently used go first, those in use (shared_ptr held outside) never.
/// Shared by the epochs of a run. Safe to use from several threads.
class ChunkCache {
 public:
  ChunkCache(Dataset dataset, std::size_t budget) : dataset_(std::move(dataset)), budget_(budget) {}

  [[nodiscard]] const Dataset& dataset() const { return dataset_; }
  /// Reads the chunk if it is not here. Throws what Dataset::read_chunk throws.
  [[nodiscard]] std::shared_ptr<const Chunk> get(std::size_t chunk);
  /// Raises the budget to at least `bytes`, what a reader holds at once.
  void require(std::size_t bytes);
  /// A line for the user if `require` had to raise the budget; else empty.
  [[nodiscard]] std::string note() const;
  [[nodiscard]] std::uint64_t bytes_read() const { return bytes_read_; }

 private:
  struct Entry {
    std::size_t chunk;
    std::shared_ptr<const Chunk> data;
  };
  void make_room(std::size_t bytes);

  Dataset dataset_;
  mutable std::mutex mutex_;
  std::size_t budget_;
  std::optional<std::size_t> asked_;  ///< the budget before it was raised
  std::size_t held_ = 0;
  std::atomic<std::uint64_t> bytes_read_{0};
  std::list<Entry> entries_;  ///< most recently used first
  std::unordered_map<std::size_t, std::list<Entry>::iterator> index_;
};

}  // namespace lockstep
