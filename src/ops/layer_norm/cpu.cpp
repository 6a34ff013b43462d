#include <algorithm>
#include <cmath>

#include "ops/layer_norm/layer_norm.hpp"
#include "ops/reduction.hpp"

namespace lockstep {
namespace {

struct Statistics {
  float mean, variance;
};

Statistics normalise(float* __restrict y, const float* x, const float* gain, const float* bias, std::int64_t n, float eps) {
  const double share = 1 / static_cast<double>(n);
  const auto mean = static_cast<float>(sums_of<1>(n, [=](auto at) { return std::array{at(x)}; })[0] * share);
  const auto squares = sums_of<1>(n, [=](auto at) { return std::array{(at(x) - mean) * (at(x) - mean)}; });
  const auto variance = static_cast<float>(squares[0] * share);
  const float inverse = 1 / std::sqrt(variance + eps);
  for (std::int64_t i = 0; i < n; ++i) {
    y[i] = (x[i] - mean) * inverse * gain[i] + bias[i];
  }
  return {mean, variance};
}

class LayerNormKernel final : public CpuKernel {
 public:
  explicit LayerNormKernel(const KernelSpec& spec)
      : width_(spec.in[1].elements()), rows_(spec.in[0].elements() / width_), eps_(static_cast<float>(spec.attrs.real("eps"))) {}

  void run(const CpuCall& call) override {
    for (std::int64_t r = 0; r < rows_; ++r) {
      const Statistics row = normalise(call.output(0) + r * width_, call.input(0) + r * width_, call.input(1), call.input(2), width_, eps_);
      call.output(1)[r] = row.mean;
      call.output(2)[r] = row.variance;
    }
  }

 private:
  std::int64_t width_, rows_;
  float eps_;
};

/// One row of what the gradient needs; inverse = 1 / sqrt(variance + eps).
struct BackwardRow {
  const float *x, *g, *gain;
  float mean, inverse;
};

/// Writes dx and adds to dgain and dbias.
void backward_row(const BackwardRow& row, std::int64_t n, float* __restrict dx, float* __restrict dgain, float* __restrict dbias) {
  const float *const x = row.x, *const g = row.g, *const gain = row.gain;
  const float mean = row.mean, scale = row.inverse;
  const auto sums = sums_of<2>(n, [=](auto at) {
    const auto u = at(g) * at(gain);
    return std::array{u, u * (at(x) - mean)};
  });
  // dx = scale·(u − share − slope·(x − mean))
  const auto count = static_cast<double>(n);
  const auto share = static_cast<float>(sums[0] / count), slope = static_cast<float>(sums[1] / count) * scale * scale;
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
      : width_(spec.in[1].elements()), rows_(spec.in[0].elements() / width_), eps_(static_cast<float>(spec.attrs.real("eps"))) {}

  [[nodiscard]] std::size_t scratch_bytes() const override { return static_cast<std::size_t>(width_) * 2 * sizeof(float); }

  /// dgain and dbias are summed over 64 rows at a time in scratch memory, then those sums: long float sums lose digits.
  void run(const CpuCall& call) override {
    float *gain_part = reinterpret_cast<float*>(call.scratch), *bias_part = gain_part + width_;
    std::fill_n(call.output(1), width_, 0.0f);
    std::fill_n(call.output(2), width_, 0.0f);
    for (std::int64_t begin = 0; begin < rows_; begin += 64) {
      std::fill_n(gain_part, 2 * width_, 0.0f);
      for (std::int64_t r = begin; r < std::min(begin + 64, rows_); ++r) {
        const float inverse = 1 / std::sqrt(call.input(3)[r] + eps_);
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
  float eps_;
};

}  // namespace

std::unique_ptr<CpuKernel> layer_norm_cpu(const KernelSpec& spec) { return make<LayerNormKernel>(spec); }
std::unique_ptr<CpuKernel> layer_norm_backward_cpu(const KernelSpec& spec) { return make<LayerNormBackwardKernel>(spec); }

}  // namespace lockstep
