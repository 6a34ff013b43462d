#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace lockstep {

/// Zeroed memory aligned to 64 bytes. Large ones begin at a huge page, are made of huge pages where the system gives them, and cost nothing
/// until they are touched: who touches a page first has it near. Grows only by `reserve`, which drops the contents.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(std::size_t bytes) { reserve(bytes); }

  void reserve(std::size_t bytes);
  [[nodiscard]] std::byte* data() const { return data_; }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Free {
    Free() : mapped(0) {}
    explicit Free(std::size_t bytes) : mapped(bytes) {}
    void operator()(void* p) const;
    std::size_t mapped;  ///< 0: from the heap
  };
  std::unique_ptr<void, Free> memory_;
  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
};

/// The same, as floats.
class AlignedFloats {
 public:
  AlignedFloats() = default;
  explicit AlignedFloats(std::size_t count) : bytes_(count * sizeof(float)), count_(count) {}
  [[nodiscard]] float* data() const { return reinterpret_cast<float*>(bytes_.data()); }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::span<float> span() const { return {data(), count_}; }

 private:
  AlignedBytes bytes_;
  std::size_t count_ = 0;
};

}  // namespace lockstep
