#include "runtime/aligned.hpp"

#include <sys/mman.h>

#include <cstdlib>
#include <cstring>
#include <new>

namespace lockstep {
namespace {

constexpr std::size_t kLine = 64, kHugePage = std::size_t{2} << 20;

}  // namespace

void AlignedBytes::Free::operator()(void* p) const {
  if (mapped > 0) {
    ::munmap(p, mapped);
  } else {
    std::free(p);
  }
}

void AlignedBytes::reserve(std::size_t bytes) {
  if (bytes <= size_) {
    return;
  }
  memory_.reset();
  size_ = 0;
  if (bytes < kHugePage) {
    const std::size_t rounded = (bytes + kLine - 1) / kLine * kLine;
    memory_ = {std::aligned_alloc(kLine, rounded), Free()};
    if (memory_ == nullptr) {
      throw std::bad_alloc();
    }
    data_ = static_cast<std::byte*>(std::memset(memory_.get(), 0, rounded));
    size_ = rounded;
    return;
  }
  const std::size_t rounded = (bytes + kHugePage - 1) / kHugePage * kHugePage, mapped = rounded + kHugePage;
  void* const pages = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (pages == MAP_FAILED) {
    throw std::bad_alloc();
  }
  memory_ = {pages, Free(mapped)};
  const std::size_t behind = reinterpret_cast<std::uintptr_t>(pages) % kHugePage;
  data_ = static_cast<std::byte*>(pages) + (behind == 0 ? 0 : kHugePage - behind);
  size_ = rounded;
  ::madvise(data_, rounded, MADV_HUGEPAGE);  // only advice: refusal changes nothing
}

}  // namespace lockstep
