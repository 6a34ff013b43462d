#pragma once

#include <cstdint>
#include <cstring>

/// Eight floats as one value of GCC's and Clang's vector types, for loops whose sums must stay in registers: the compiler's own
/// vectorisation keeps plain arrays of partial sums in memory. Elementwise operators and ?: work as on one float.
namespace lockstep {

typedef float Floats __attribute__((vector_size(32)));

/// T: Floats or float. By reference, as vectors are not passed alike by all instruction sets.
template <class T>
inline void load(T& value, const float* from) {
  std::memcpy(&value, from, sizeof value);
}
template <class T>
inline void store(float* to, const T& value) {
  std::memcpy(to, &value, sizeof value);
}

/// `count` neighbouring values of type T; a constant of the compiler's.
template <class T, int kCount>
struct Run {
  using Value = T;
  static constexpr int count = kCount;
  static constexpr std::int64_t step = sizeof(T) / sizeof(float);  ///< floats in a value

  /// Calls `each(k, place)` for the values of a run that starts at `at`.
  template <class Each>
  static void for_each(std::int64_t at, Each each) {
    for (int k = 0; k < kCount; ++k) {
      each(k, at + k * step);
    }
  }
};

/// Calls `visit(Run, first)` for all of [0, n) in runs of 16, then of 8, then of one float.
template <class Visit>
void in_vectors(std::int64_t n, Visit visit) {
  std::int64_t at = 0;
  for (; at + 16 <= n; at += 16) {
    visit(Run<Floats, 2>{}, at);
  }
  for (; at + 8 <= n; at += 8) {
    visit(Run<Floats, 1>{}, at);
  }
  for (; at < n; ++at) {
    visit(Run<float, 1>{}, at);
  }
}

}  // namespace lockstep
