#include "train/atoms.hpp"

#include <algorithm>
#include <bit>

namespace lockstep {

void TreeSum::add(double leaf) {
  // As in a binary counter: each full pair of subtrees of one size becomes one of the next.
  int k = 0;
  for (; (count_ >> k & 1) != 0; ++k) {
    leaf = level_[k] + leaf;
  }
  level_[k] = leaf;
  ++count_;
}

double TreeSum::value() const {
  if (count_ == 0) {
    return 0;
  }
  int k = std::countr_zero(count_);
  double sum = level_[k];
  for (++k; count_ >> k != 0; ++k) {
    if ((count_ >> k & 1) != 0) {
      sum = level_[k] + sum;
    }
  }
  return sum;
}

double atom_tree_sum(std::span<const double> per_atom) {
  TreeSum tree;
  for (const double sum : per_atom) {
    tree.add(sum);
  }
  return tree.value();
}

double atom_sum_of_squares(std::span<const float> atom) {
  std::array<double, 8> sum{};
  std::size_t i = 0;
  for (; i + 8 <= atom.size(); i += 8) {
    for (std::size_t j = 0; j < 8; ++j) {
      const double x = atom[i + j];
      sum[j] += x * x;
    }
  }
  for (; i < atom.size(); ++i) {
    const double x = atom[i];
    sum[i % 8] += x * x;
  }
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

double sum_of_squares(std::span<const float> tensor) {
  TreeSum tree;
  for (std::size_t at = 0; at < tensor.size(); at += kAtomSize) {
    tree.add(atom_sum_of_squares(tensor.subspan(at, std::min(kAtomSize, tensor.size() - at))));
  }
  return tree.value();
}

}  // namespace lockstep
