#include <algorithm>
#include <cmath>

#include "ops/layer_norm/layer_norm.hpp"
#include "ops/reduction.hpp"

namespace lockstep {
namespace {

struct Statistics {
  float mean, variance;
};

Statistics normalise(float* __restrict y, const float* x, const float* gain, const float* bias, std::int64_t n, double eps) {
  const auto count = static_cast<double>(n);
  const auto mean = static_cast<float>(sum_of(n, [=](auto at) { return at(x); }) / count);
  const double variance = sum_of(n, [=](auto at) { return (at(x) - mean) * (at(x) - mean); }) / count;
  const auto inverse = static_cast<float>(1 / std::sqrt(variance + eps));
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] = (x[i] - mean) * inverse * gain[i] + bias[i];
  }
  return {mean, static_cast<float>(variance)};
}

class LayerNormKernel final : public CpuKernel {
 public:
  explicit LayerNormKernel(const KernelSpec& spec)
      : width_(spec.in[1].elements()), rows_(spec.in[0].elements() / width_), eps_(spec.attrs.real("eps")) {}

  void run(const CpuCall& call) override {
    for (std::int64_t r = 0; r < rows_; ++r) {
      const Statistics row = normalise(call.output(0) + r * width_, call.input(0) + r * width_, call.input(1), call.input(2), width_, eps_);
      call.output(1)[r] = row.mean;
      call.output(2)[r] = row.variance;
    }
  }

 private:
  std::int64_t width_, rows_;
  double eps_;
};

/// One row of what the gradient needs.
struct BackwardRow {
  const float *x, *g, *gain;
  float mean;
  double inverse;  ///< 1 / sqrt(variance + eps)
};

/// Writes dx and adds to dgain and dbias.
void backward_row(const BackwardRow& row, std::int64_t n, float* __restrict dx, float* __restrict dgain, float* __restrict dbias) {
  const float *const x = row.x, *const g = row.g, *const gain = row.gain;
  const float mean = row.mean;
  const double inverse = row.inverse;
  const auto count = static_cast<double>(n);
  const double sum = sum_of(n, [=](auto at) { return at(g) * at(gain); });
  const double product = sum_of(n, [=](auto at) { return at(g) * at(gain) * (at(x) - mean); });
  // dx = scale·(u − share − slope·(x − mean))
  const auto scale = static_cast<float>(inverse), share = static_cast<float>(sum / count);
  const auto slope = static_cast<float>(product * inverse * inverse / count);
  for (std::int64_t i = 0; i < n; ++i) {
    const float centred = x[i] - mean;
    dx[i] = scale * (g[i] * gain[i] - share - slope * centred);
    dgain[i] += g[i] * (centred * scale);
    dbias[i] += g[i];
  }
}

class LayerNormBackwardKernel final : public CpuKernel {
 public:
  explicit LayerNormBackwardKernel(const KernelSpec& spec)
      : width_(spec.in[1].elements()), rows_(spec.in[0].elements() / width_), eps_(spec.attrs.real("eps")) {}

  [[nodiscard]] std::size_t scratch_bytes() const override { return static_cast<std::size_t>(width_) * 2 * sizeof(float); }

  /// dgain and dbias are summed over 64 rows at a time in scratch memory, then those sums: long float sums lose digits.
  void run(const CpuCall& call) override {
    float *gain_part = reinterpret_cast<float*>(call.scratch), *bias_part = gain_part + width_;
    std::fill_n(call.output(1), width_, 0.0f);
    std::fill_n(call.output(2), width_, 0.0f);
    for (std::int64_t begin = 0; begin < rows_; begin += 64) {
      std::fill_n(gain_part, 2 * width_, 0.0f);
      for (std::int64_t r = begin; r < std::min(begin + 64, rows_); ++r) {
        const double inverse = 1 / std::sqrt(static_cast<double>(call.input(3)[r]) + eps_);
        backward_row({call.input(0) + r * width_, call.input(4) + r * width_, call.input(1), call.input(2)[r], inverse}, width_,
                     call.output(0) + r * width_, gain_part, bias_part);
      }
      for (std::int64_t i = 0; i < width_; ++i) {
        call.output(1)[i] += gain_part[i];
        call.output(2)[i] += bias_part[i];
      }
    }
  }

 private:
  std::int64_t width_, rows_;
  double eps_;
};

}  // namespace

std::unique_ptr<CpuKernel> layer_norm_cpu(const KernelSpec& spec) { return make<LayerNormKernel>(spec); }
std::unique_ptr<CpuKernel> layer_norm_backward_cpu(const KernelSpec& spec) { return make<LayerNormBackwardKernel>(spec); }

}  // namespace lockstep
