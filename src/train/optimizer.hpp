#pragma once

#include <cstdint>
#include <string>

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

/// λ/2 · Σ w² over the penalised weights of the flat array: per-atom sums in double, added in the fixed tree over atoms.
[[nodiscard]] double penalty_value(const FlatLayout& layout, const Sgd& sgd, const float* flat);

}  // namespace lockstep
