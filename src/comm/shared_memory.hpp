#pragma once

#include "comm/communicator.hpp"

namespace lockstep {

/// Zeroed memory that all workers of a job see, each at an address of its own. It has no name in any file system, so a job that is
/// killed leaves nothing behind, and the size of /dev/shm (64 MB in containers) does not matter. Linux only.
class SharedMemory {
 public:
  /// Every worker must call it, with the same size. Nothing, on every worker, where they do not all run on one machine, or it does not
  /// let them see each other's memory.
  [[nodiscard]] static std::unique_ptr<SharedMemory> create(Communicator& communicator, std::size_t bytes);

  SharedMemory(std::byte* mapped, std::size_t bytes) : mapped_(mapped), bytes_(bytes) {}
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory();

  /// Aligned to 4096 bytes.
  [[nodiscard]] std::byte* data() const { return mapped_ + kHeader; }

 private:
  static constexpr std::size_t kHeader = 4096;  ///< before the data: what tells that two workers see the same memory

  std::byte* mapped_;
  std::size_t bytes_;
};

}  // namespace lockstep
