#include <algorithm>

#include "ops/conv2d/conv2d.hpp"
#include "ops/matmul/activation.hpp"

namespace lockstep {
namespace {

/// Calls `visit(x, weight, y)` with the row-major indexes of every product that a convolution adds up: y[y] += x[x]·weight[weight].
template <class Visit>
void for_each_product(const ConvSizes& s, Visit visit) {
  for (std::int64_t n = 0; n < s.n; ++n) {
    for (std::int64_t o = 0; o < s.o; ++o) {
      for (std::int64_t i = 0; i < s.oh; ++i) {
        for (std::int64_t j = 0; j < s.ow; ++j) {
          for (std::int64_t c = 0; c < s.c; ++c) {
            for (std::int64_t p = 0; p < s.kh; ++p) {
              for (std::int64_t q = 0; q < s.kw; ++q) {
                const std::int64_t row = i * s.stride + p - s.padding, column = j * s.stride + q - s.padding;
                if (row >= 0 && row < s.h && column >= 0 && column < s.w) {
                  visit(static_cast<std::size_t>(((n * s.c + c) * s.h + row) * s.w + column),
                        static_cast<std::size_t>(((o * s.c + c) * s.kh + p) * s.kw + q),
                        static_cast<std::size_t>(((n * s.o + o) * s.oh + i) * s.ow + j));
                }
              }
            }
          }
        }
      }
    }
  }
}

}  // namespace

void conv2d_reference(const ReferenceCall& call) {
  const ConvSizes s = conv2d_sizes(call.in_types, call.attrs);
  const std::span<double> y = call.out[0];
  for (std::size_t i = 0; i < y.size(); ++i) {
    y[i] = call.in.size() > 2 ? call.in[2][i / static_cast<std::size_t>(s.oh * s.ow) % call.in[2].size()] : 0.0;
  }
  for_each_product(s, [&](std::size_t xi, std::size_t wi, std::size_t yi) { y[yi] += call.in[0][xi] * call.in[1][wi]; });
  activate(call.attrs, y);
}

void conv2d_backward_data_reference(const ReferenceCall& call) {
  const ConvSizes s = conv2d_backward_data_sizes(call.in_types, call.attrs);
  const std::span<double> dx = call.out[0];
  std::ranges::fill(dx, 0.0);
  for_each_product(s, [&](std::size_t xi, std::size_t wi, std::size_t yi) { dx[xi] += call.in[0][yi] * call.in[1][wi]; });
}

void conv2d_backward_weights_reference(const ReferenceCall& call) {
  const ConvSizes s = conv2d_backward_weights_sizes(call.in_types, call.attrs);
  const std::span<double> dw = call.out[0];
  std::ranges::fill(dw, 0.0);
  for_each_product(s, [&](std::size_t xi, std::size_t wi, std::size_t yi) { dw[wi] += call.in[0][xi] * call.in[1][yi]; });
}

}  // namespace lockstep
