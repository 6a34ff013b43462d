#pragma once

#include <span>

namespace lockstep::test {

/// The definition: the sum over the tree of lanes begin … end−1, empty lanes skipped. `any` says whether there was something to add.
inline float tree_sum(std::span<const float> lanes, std::span<const int> samples, int begin, int end, bool& any) {
  if (end - begin == 1) {
    any = samples[begin] > 0;
    return any ? lanes[begin] : 0.0f;
  }
  int half = 1;
  while (2 * half < end - begin)
    half *= 2;
  bool left = false;
  bool right = false;
  const float a = tree_sum(lanes, samples, begin, begin + half, left);
  const float b = tree_sum(lanes, samples, begin + half, end, right);
  any = left || right;
  return left && right ? a + b : left ? a : b;
}

inline float tree_sum(std::span<const float> lanes, std::span<const int> samples) {
  bool any = false;
  return tree_sum(lanes, samples, 0, static_cast<int>(lanes.size()), any);
}

}  // namespace lockstep::test
