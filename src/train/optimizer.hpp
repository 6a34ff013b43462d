#pragma once

#include <cstdint>
#include <span>

#include "plan/flat_layout.hpp"

namespace lockstep {

/// Stochastic gradient descent with momentum (PyTorch's form) and an L2 penalty:  V ← μ·V + (ΔW + λ·W),  W ← W − α·V; without momentum
/// W ← W − α·(ΔW + λ·W). λ holds for weights; biases and the gains of norms are left out.
struct Sgd {
  double momentum = 0.9;
  double l2 = 0;
};

/// Updates `count` elements of one tensor at once: w and its state v (unused without momentum), from the summed gradient g. State tensors
/// (running statistics) are mixed with the sum by their momentum instead. Same bits wherever the elements are cut.
void update_atom(const FlatTensor& tensor, const Sgd& sgd, double rate, std::int64_t count, const float* g, float* v, float* w);

/// Σ x² of a tensor, whose bits do not depend on who adds what: each atom of 1,024 elements in double in a fixed order, then the atoms'
/// sums in a tree of the same shape as the tree over lanes: it splits at the largest power of two below n, again and again.
[[nodiscard]] double sum_of_squares(std::span<const float> tensor);

/// λ/2 · Σ w² over the penalised weights of the flat array.
[[nodiscard]] double penalty_value(const FlatLayout& layout, const Sgd& sgd, std::span<const float> flat);

}  // namespace lockstep
