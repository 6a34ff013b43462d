#include <algorithm>
#include <cmath>
#include <vector>

#include "ops/batch_norm/batch_norm.hpp"
#include "ops/matmul/activation.hpp"

namespace lockstep {
namespace {

/// Calls `visit(index, channel)` for every element of x [N, C, ...].
template <class Visit>
void for_each_element(const Shape& x, Visit visit) {
  const auto count = static_cast<std::size_t>(x.elements()), channels = static_cast<std::size_t>(x[1]);
  const std::size_t inner = count / (static_cast<std::size_t>(x[0]) * channels);
  for (std::size_t i = 0; i < count; ++i) {
    visit(i, i / inner % channels);
  }
}

}  // namespace

void batch_norm_reference(const ReferenceCall& call) {
  const Shape& shape = call.in_types[0].shape;
  const std::span<const double> x = call.in[0], gain = call.in[1], bias = call.in[2];
  const std::span<double> y = call.out[0], mean = call.out[1], variance = call.out[2];
  const double count = static_cast<double>(shape.elements()) / static_cast<double>(shape[1]), eps = call.attrs.real("eps");
  std::ranges::fill(mean, 0.0);
  std::ranges::fill(variance, 0.0);
  for_each_element(shape, [&](std::size_t i, std::size_t c) { mean[c] += x[i] / count; });
  for_each_element(shape, [&](std::size_t i, std::size_t c) { variance[c] += (x[i] - mean[c]) * (x[i] - mean[c]) / count; });
  for_each_element(shape, [&](std::size_t i, std::size_t c) {
    const double normal = (x[i] - mean[c]) / std::sqrt(variance[c] + eps) * gain[c] + bias[c];
    y[i] = call.in.size() > 3 ? normal + call.in[3][i] : normal;
  });
  activate(call.attrs, y);
}

void batch_norm_backward_reference(const ReferenceCall& call) {
  const Shape& shape = call.in_types[0].shape;
  const std::span<const double> x = call.in[0], gain = call.in[1], mean = call.in[2], variance = call.in[3];
  const std::span<double> dx = call.out[0], dgain = call.out[1], dbias = call.out[2];
  const double count = static_cast<double>(shape.elements()) / static_cast<double>(shape[1]), eps = call.attrs.real("eps");
  const auto normal = [&](std::size_t i, std::size_t c) { return (x[i] - mean[c]) / std::sqrt(variance[c] + eps); };
  const Mask mask = mask_of(call.attrs);
  std::vector<double> g(call.in[4].begin(), call.in[4].end());
  for_each_element(shape, [&](std::size_t i, std::size_t c) {
    g[i] += has_addend(call.attrs) ? call.in.back()[i] : 0;
    const double kept = mask == Mask::own ? normal(i, c) * gain[c] + call.in[5][c] : mask == Mask::tensor ? call.in[5][i] : 1;
    g[i] = kept > 0 ? g[i] : 0;
  });
  if (mask == Mask::tensor) {
    std::ranges::copy(g, call.out[3].begin());
  }
  std::ranges::fill(dgain, 0.0);
  std::ranges::fill(dbias, 0.0);
  for_each_element(shape, [&](std::size_t i, std::size_t c) {
    dgain[c] += g[i] * normal(i, c);
    dbias[c] += g[i];
  });
  for_each_element(shape, [&](std::size_t i, std::size_t c) {
    dx[i] = gain[c] / std::sqrt(variance[c] + eps) * (g[i] - (dbias[c] + normal(i, c) * dgain[c]) / count);
  });
}

}  // namespace lockstep
