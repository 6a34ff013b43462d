#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

/// Eight floats as one value of GCC's and Clang's vector types, for loops whose sums must stay in registers: the compiler's own
/// vectorisation keeps plain arrays of partial sums in memory. Elementwise operators and ?: work as on one float.
namespace lockstep {

typedef float Floats __attribute__((vector_size(32)));

// g++ 11 has an older builtin only. A macro, for functions do not return vectors alike for all instruction sets.
#if !__has_builtin(__builtin_shufflevector)
typedef std::int32_t Places __attribute__((vector_size(32)));
#define __builtin_shufflevector(a, b, ...) __builtin_shuffle(a, b, ::lockstep::Places{__VA_ARGS__})
#endif

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
  static constexpr std::int64_t step = std::is_same_v<T, float> ? 1 : 8;  ///< floats in a value

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

/// Eight rows of eight become eight columns.
inline void transpose(Floats (&v)[8]) {
  Floats pairs[8];
  for (int i = 0; i < 8; i += 2) {
    pairs[i] = __builtin_shufflevector(v[i], v[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
    pairs[i + 1] = __builtin_shufflevector(v[i], v[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
  }
  Floats fours[8];
  for (int i = 0; i < 8; i += 4) {
    for (int k = 0; k < 2; ++k) {
      fours[i + 2 * k] = __builtin_shufflevector(pairs[i + k], pairs[i + k + 2], 0, 1, 8, 9, 4, 5, 12, 13);
      fours[i + 2 * k + 1] = __builtin_shufflevector(pairs[i + k], pairs[i + k + 2], 2, 3, 10, 11, 6, 7, 14, 15);
    }
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = __builtin_shufflevector(fours[i], fours[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
    v[i + 4] = __builtin_shufflevector(fours[i], fours[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
  }
}

/// to [columns, rows] = from [rows, columns] transposed; `finish(value, row)` changes Floats or a float on its way, whose first number
/// comes from row `row` of `from`, the others from the rows after it.
template <class Finish>
void transpose(const float* from, std::int64_t rows, std::int64_t columns, float* to, Finish finish) {
  std::int64_t row = 0;
  for (; row + 8 <= rows; row += 8) {
    std::int64_t column = 0;
    for (; column + 8 <= columns; column += 8) {
      Floats block[8];
      for (int i = 0; i < 8; ++i) {
        load(block[i], from + (row + i) * columns + column);
      }
      transpose(block);
      for (int i = 0; i < 8; ++i) {
        finish(block[i], row);
        store(to + (column + i) * rows + row, block[i]);
      }
    }
    for (; column < columns; ++column) {
      for (std::int64_t i = row; i < row + 8; ++i) {
        float value = from[i * columns + column];
        finish(value, i);
        to[column * rows + i] = value;
      }
    }
  }
  for (; row < rows; ++row) {
    for (std::int64_t column = 0; column < columns; ++column) {
      float value = from[row * columns + column];
      finish(value, row);
      to[column * rows + row] = value;
    }
  }
}

}  // namespace lockstep
