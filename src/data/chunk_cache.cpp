#include "data/chunk_cache.hpp"

#include <fmt/format.h>

namespace lockstep {

std::shared_ptr<const Chunk> ChunkCache::get(std::size_t chunk) {
  const std::scoped_lock lock(mutex_);
  if (const auto found = index_.find(chunk); found != index_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    return entries_.front().data;
  }
  make_room(dataset_.row_bytes() * static_cast<std::size_t>(dataset_.chunks().at(chunk).rows));
  auto data = std::make_shared<const Chunk>(dataset_.read_chunk(chunk));
  held_ += data->bytes();
  bytes_read_ += data->bytes();
  entries_.push_front({chunk, data});
  index_[chunk] = entries_.begin();
  return data;
}

void ChunkCache::make_room(std::size_t bytes) {
  for (auto entry = entries_.end(); entry != entries_.begin() && held_ + bytes > budget_;) {
    --entry;
    if (entry->data.use_count() == 1) {
      held_ -= entry->data->bytes();
      index_.erase(entry->chunk);
      entry = entries_.erase(entry);
    }
  }
}

void ChunkCache::require(std::size_t bytes) {
  const std::scoped_lock lock(mutex_);
  if (bytes > budget_) {
    asked_ = asked_.value_or(budget_);
    budget_ = bytes;
  }
}

std::string ChunkCache::note() const {
  const std::scoped_lock lock(mutex_);
  constexpr double mib = 1 << 20;
  return asked_ ? fmt::format("The cache for data is {:.1f} MiB, not {:.1f} MiB: this order of samples holds that much at once.",
                              static_cast<double>(budget_) / mib, static_cast<double>(*asked_) / mib)
                : "";
}

}  // namespace lockstep
