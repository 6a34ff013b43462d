#include "train/optimizer.hpp"

#include <algorithm>

#include "train/atoms.hpp"

namespace lockstep {
namespace {

void mix_state(float momentum, std::int64_t count, const float* g, float* w) {
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

}  // namespace

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

double penalty_value(const FlatLayout& layout, const Sgd& sgd, const float* flat) {
  double squares = 0;
  for (const FlatTensor& tensor : layout.tensors) {
    if (tensor.trained && tensor.penalised && sgd.l2 != 0) {
      squares += sum_of_squares({flat + tensor.offset, static_cast<std::size_t>(tensor.count)});
    }
  }
  return sgd.l2 / 2 * squares;
}

}  // namespace lockstep
