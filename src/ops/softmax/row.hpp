#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>

#include "ops/fast_math.hpp"
#include "ops/reduction.hpp"

/// What the softmax family shares: one row of n numbers at a time.
namespace lockstep {

/// `infer` of ops of logits f32 [..., classes] and labels i32 [...] that give one number a label, f32 [...].
std::vector<TensorType> one_number_a_label(std::string_view op, std::span<const TensorType> in, const Attrs& attrs);

/// In double: the greatest number of a row and Σ exp(x − max).
struct RowSum {
  double max, total;
};
RowSum reference_exp_sum(const double* x, std::size_t n);

/// The greatest; NaN if there is one.
inline float row_max(const float* x, std::size_t n) { return fold_row<MaxFold>(x, n); }

/// Σ exp(x − max), in an order that depends on n alone. The terms go to `out` where it is not null.
template <bool kStore>
float exp_sum([[maybe_unused]] float* out, const float* x, std::size_t n, float max) {
  constexpr std::size_t kWidth = 16;
  std::array<float, kWidth> part{}, term, tail;
  const auto add_block = [&](const float* from) {
    for (std::size_t j = 0; j < kWidth; ++j) {
      term[j] = fast::exp(from[j] - max);
      part[j] += term[j];
    }
  };
  for (std::size_t i = 0; i < n; i += kWidth) {
    const std::size_t count = std::min(kWidth, n - i);
    if (count < kWidth) {  // filled up with −∞, whose exp is 0
      tail.fill(-std::numeric_limits<float>::infinity());
      std::copy(x + i, x + n, tail.begin());
      add_block(tail.data());
    } else {
      add_block(x + i);
    }
    if constexpr (kStore) {
      std::copy_n(term.begin(), count, out + i);
    }
  }
  for (std::size_t width = kWidth / 2; width > 0; width /= 2) {
    for (std::size_t j = 0; j < width; ++j) {
      part[j] += part[j + width];
    }
  }
  return part[0];
}

}  // namespace lockstep
