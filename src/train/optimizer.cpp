#include "train/optimizer.hpp"

#include <algorithm>
#include <array>
#include <bit>

#include "train/parameters.hpp"

namespace lockstep {
namespace {

void mix_state(float momentum, std::int64_t count, const float* g, float* w) {
  if (momentum == 0) {
    return;  // frozen: not even a −0 changes
  }
  for (std::int64_t i = 0; i < count; ++i) {
    w[i] = (1 - momentum) * w[i] + momentum * g[i];
  }
}

void plain_step(float rate, float l2, std::int64_t count, const float* __restrict g, float* __restrict w) {
  for (std::int64_t i = 0; i < count; ++i) {
    w[i] -= rate * (g[i] + l2 * w[i]);
  }
}

void momentum_step(float rate, float l2, float momentum, std::int64_t count, const float* __restrict g, float* __restrict v,
                   float* __restrict w) {
  for (std::int64_t i = 0; i < count; ++i) {
    v[i] = momentum * v[i] + (g[i] + l2 * w[i]);
    w[i] -= rate * v[i];
  }
}

/// Of one atom: eight sums in double, over the elements i, i + 8, i + 16, …, added as ((0+1)+(2+3))+((4+5)+(6+7)).
double atom_sum_of_squares(std::span<const float> atom) {
  std::array<double, 8> sum{};
  for (std::size_t i = 0; i < atom.size(); ++i) {
    const double x = atom[i];
    sum[i % 8] += x * x;
  }
  return ((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7]));
}

}  // namespace

double sum_of_squares(std::span<const float> tensor) {
  constexpr auto kSize = static_cast<std::size_t>(kAtom);
  if (tensor.size() <= kSize) {
    return atom_sum_of_squares(tensor);
  }
  const std::size_t left = kSize * std::bit_floor((tensor.size() - 1) / kSize);
  return sum_of_squares(tensor.first(left)) + sum_of_squares(tensor.subspan(left));
}

void update_atom(const FlatTensor& tensor, const Sgd& sgd, double rate, std::int64_t count, const float* g, float* v, float* w) {
  const float l2 = tensor.penalised ? static_cast<float>(sgd.l2) : 0.0F;
  if (!tensor.trained) {
    mix_state(static_cast<float>(tensor.momentum), count, g, w);
  } else if (sgd.momentum == 0) {
    plain_step(static_cast<float>(rate), l2, count, g, w);
  } else {
    momentum_step(static_cast<float>(rate), l2, static_cast<float>(sgd.momentum), count, g, v, w);
  }
}

double penalty_value(const FlatLayout& layout, const Sgd& sgd, std::span<const float> flat) {
  double squares = 0;
  for (const FlatTensor& tensor : layout.tensors) {
    if (tensor.trained && tensor.penalised && sgd.l2 != 0) {
      squares += sum_of_squares(values_of(tensor, flat));
    }
  }
  return sgd.l2 / 2 * squares;
}

}  // namespace lockstep
