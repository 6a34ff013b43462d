#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "plan/flat_layout.hpp"

/// Sums over a whole tensor whose bits do not depend on who added what. A tensor is cut into atoms of 1,024 elements; each atom is summed
/// in double in a fixed order by whoever owns it; the atoms' sums are added in a fixed tree over atom numbers, of the same shape as the
/// tree over lanes: it splits at the largest power of two below n, again and again.
namespace lockstep {

inline constexpr auto kAtomSize = static_cast<std::size_t>(kAtom);

/// Atoms of a tensor of so many elements; the last one may be short.
[[nodiscard]] constexpr std::size_t atom_count(std::size_t elements) { return (elements + kAtomSize - 1) / kAtomSize; }

/// The fixed tree, fed with its leaves in order; holds one number for each level and allocates nothing.
class TreeSum {
 public:
  void add(double leaf);
  /// The sum of all leaves so far; 0 if there are none.
  [[nodiscard]] double value() const;

 private:
  std::array<double, 64> level_{};  ///< level_[k]: the last full subtree of 2^k leaves, where bit k of count_ is set
  std::uint64_t count_ = 0;
};

/// The fixed tree over these sums, atom 0 first.
[[nodiscard]] double atom_tree_sum(std::span<const double> per_atom);

/// Σ x² of one atom: eight sums in double, over the elements i, i + 8, i + 16, …, added as ((0+1)+(2+3))+((4+5)+(6+7)).
[[nodiscard]] double atom_sum_of_squares(std::span<const float> atom);

/// Σ x² of a tensor: its atoms, then the tree.
[[nodiscard]] double sum_of_squares(std::span<const float> tensor);

}  // namespace lockstep
