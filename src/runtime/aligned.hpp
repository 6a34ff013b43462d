#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

namespace lockstep {

/// Zeroed memory aligned to 64 bytes, on huge pages where the system gives them. Grows only by `reserve`, which drops the contents.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  explicit AlignedBytes(std::size_t bytes) { reserve(bytes); }

  void reserve(std::size_t bytes);
  [[nodiscard]] std::byte* data() const { return memory_.get(); }
  [[nodiscard]] std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  std::unique_ptr<std::byte, Free> memory_;
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
