#include <algorithm>
#include <cmath>

#include "ops/layer_norm/layer_norm.hpp"

namespace lockstep {
namespace {

/// Σ term(i) for 0 ≤ i < n in a fixed order: 16 sums side by side in float, those in double.
template <class Term>
double sum_of(std::int64_t n, Term term) {
  float part[16] = {};
  std::int64_t i = 0;
  for (; i + 16 <= n; i += 16) {
    for (int l = 0; l < 16; ++l) {
      part[l] += term(i + l);
    }
  }
  double total = 0;
  for (; i < n; ++i) {
    total += static_cast<double>(term(i));
  }
  for (const float p : part) {
    total += static_cast<double>(p);
  }
  return total;
}

class LayerNormKernel final : public CpuKernel {
 public:
  explicit LayerNormKernel(const KernelSpec& spec)
      : width_(spec.in[1].elements()), rows_(spec.in[0].elements() / width_), eps_(spec.attrs.real("eps")) {}

  void run(const CpuCall& call) override {
    const float *gain = call.input(1), *bias = call.input(2);
    const auto count = static_cast<double>(width_);
    for (std::int64_t r = 0; r < rows_; ++r) {
      const float* x = call.input(0) + r * width_;
      float* __restrict y = call.output(0) + r * width_;
      const auto mean = static_cast<float>(sum_of(width_, [=](std::int64_t i) { return x[i]; }) / count);
      const double variance = sum_of(width_, [=](std::int64_t i) { return (x[i] - mean) * (x[i] - mean); }) / count;
      const auto inverse = static_cast<float>(1 / std::sqrt(variance + eps_));
      for (std::int64_t i = 0; i < width_; ++i) {
        y[i] = (x[i] - mean) * inverse * gain[i] + bias[i];
      }
      call.output(1)[r] = mean;
      call.output(2)[r] = static_cast<float>(variance);
    }
  }

 private:
  std::int64_t width_, rows_;
  double eps_;
};

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
        row(call, r, gain_part, bias_part);
      }
      for (std::int64_t i = 0; i < width_; ++i) {
        call.output(1)[i] += gain_part[i];
        call.output(2)[i] += bias_part[i];
      }
    }
  }

 private:
  void row(const CpuCall& call, std::int64_t r, float* __restrict dgain, float* __restrict dbias) const {
    const float *x = call.input(0) + r * width_, *g = call.input(4) + r * width_, *gain = call.input(1);
    float* __restrict dx = call.output(0) + r * width_;
    const auto count = static_cast<double>(width_);
    const float mean = call.input(2)[r];
    const double inverse = 1 / std::sqrt(static_cast<double>(call.input(3)[r]) + eps_);
    const double sum = sum_of(width_, [=](std::int64_t i) { return g[i] * gain[i]; });
    const double product = sum_of(width_, [=](std::int64_t i) { return g[i] * gain[i] * (x[i] - mean); });
    // dx = scale·(u − share − slope·(x − mean))
    const auto scale = static_cast<float>(inverse), share = static_cast<float>(sum / count);
    const auto slope = static_cast<float>(product * inverse * inverse / count);
    for (std::int64_t i = 0; i < width_; ++i) {
      const float centred = x[i] - mean;
      dx[i] = scale * (g[i] * gain[i] - share - slope * centred);
      dgain[i] += g[i] * (centred * scale);
      dbias[i] += g[i];
    }
  }

  std::int64_t width_, rows_;
  double eps_;
};

}  // namespace

std::unique_ptr<CpuKernel> layer_norm_cpu(const KernelSpec& spec) { return make<LayerNormKernel>(spec); }
std::unique_ptr<CpuKernel> layer_norm_backward_cpu(const KernelSpec& spec) { return make<LayerNormBackwardKernel>(spec); }

}  // namespace lockstep
