#include <algorithm>
#include <cmath>

#include "ops/define.hpp"

namespace lockstep {

void layer_norm_reference(const ReferenceCall& call) {
  const std::size_t width = call.in[1].size(), rows = call.in[0].size() / width;
  const double count = static_cast<double>(width), eps = call.attrs.real("eps");
  for (std::size_t r = 0; r < rows; ++r) {
    const std::span<const double> x = call.in[0].subspan(r * width, width);
    double mean = 0, variance = 0;
    for (const double number : x) {
      mean += number / count;
    }
    for (const double number : x) {
      variance += (number - mean) * (number - mean) / count;
    }
    for (std::size_t c = 0; c < width; ++c) {
      call.out[0][r * width + c] = (x[c] - mean) / std::sqrt(variance + eps) * call.in[1][c] + call.in[2][c];
    }
    call.out[1][r] = mean;
    call.out[2][r] = variance;
  }
}

void layer_norm_backward_reference(const ReferenceCall& call) {
  const std::span<const double> gain = call.in[1];
  const std::size_t width = gain.size(), rows = call.in[0].size() / width;
  const double count = static_cast<double>(width), eps = call.attrs.real("eps");
  std::ranges::fill(call.out[1], 0.0);
  std::ranges::fill(call.out[2], 0.0);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::span<const double> x = call.in[0].subspan(r * width, width), g = call.in[4].subspan(r * width, width);
    const double deviation = std::sqrt(call.in[3][r] + eps);
    const auto normal = [&](std::size_t c) { return (x[c] - call.in[2][r]) / deviation; };
    double sum = 0, product = 0;  // of u, and of u·x̂
    for (std::size_t c = 0; c < width; ++c) {
      sum += g[c] * gain[c];
      product += g[c] * gain[c] * normal(c);
      call.out[1][c] += g[c] * normal(c);
      call.out[2][c] += g[c];
    }
    for (std::size_t c = 0; c < width; ++c) {
      call.out[0][r * width + c] = (g[c] * gain[c] - (sum + normal(c) * product) / count) / deviation;
    }
  }
}

}  // namespace lockstep
