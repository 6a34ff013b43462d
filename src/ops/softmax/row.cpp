#include "ops/softmax/row.hpp"

#include <fmt/format.h>

#include "ops/reduction.hpp"
#include "ops/wide.hpp"

namespace lockstep {

std::vector<TensorType> one_number_a_label(std::string_view op, std::span<const TensorType> in, const Attrs&) {
  check_operands(op, in, {DType::f32, DType::i32});
  std::vector<std::int64_t> dims = in[0].shape.dims();
  if (dims.empty() || std::vector(dims.begin(), dims.end() - 1) != in[1].shape.dims()) {
    throw ShapeError(fmt::format("{}: the labels {} do not belong to logits {}", op, in[1].shape.str(), in[0].shape.str()));
  }
  return {{in[1].shape, DType::f32}};
}

LOCKSTEP_WIDE float row_max(const float* x, std::size_t n) { return fold_row<MaxFold>(x, n); }

LOCKSTEP_WIDE float exp_terms(float* out, const float* x, std::size_t n, float max) {
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = fast::exp_normal(x[i] - max);
  }
  return fold_row<SumFold>(out, n);
}

float exp_sum(const float* x, std::size_t n, float max) {
  std::array<float, 256> terms;
  float total = 0;
  for (std::size_t i = 0; i < n; i += terms.size()) {
    total += exp_terms(terms.data(), x + i, std::min(terms.size(), n - i), max);
  }
  return total;
}

}  // namespace lockstep
