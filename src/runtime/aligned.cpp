#include "runtime/aligned.hpp"

#include <sys/mman.h>

#include <cstring>
#include <new>

namespace lockstep {

void AlignedBytes::reserve(std::size_t bytes) {
  if (bytes <= size_) {
    return;
  }
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  const std::size_t alignment = bytes >= kHugePage ? kHugePage : 64;
  const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
  memory_.reset();
  memory_.reset(static_cast<std::byte*>(std::aligned_alloc(alignment, rounded)));
  if (memory_ == nullptr) {
    size_ = 0;
    throw std::bad_alloc();
  }
  size_ = rounded;
  if (alignment == kHugePage) {
    ::madvise(memory_.get(), rounded, MADV_HUGEPAGE);  // only advice: refusal changes nothing
  }
  std::memset(memory_.get(), 0, rounded);
}

}  // namespace lockstep
