#include <cmath>

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

/// What x [rows, width] is worked on with.
struct Sizes {
  std::int64_t width, rows;
  float eps;

  explicit Sizes(const KernelSpec& spec)
      : width(spec.in[1].elements()), rows(spec.in[0].elements() / width), eps(static_cast<float>(spec.attrs.real("eps"))) {}
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
  explicit LayerNormBackwardKernel(const KernelSpec& spec) : s_(spec) {}

  [[nodiscard]] std::size_t scratch_bytes() const override { return static_cast<std::size_t>(s_.width) * 2 * sizeof(float); }

  /// dgain and dbias are summed over 64 rows at a time in scratch memory, then those sums: long float sums lose digits.
  void run(const CpuCall& call) override {
    float *gain_part = reinterpret_cast<float*>(call.scratch), *bias_part = gain_part + s_.width;
    std::fill_n(call.output(1), s_.width, 0.0f);
    std::fill_n(call.output(2), s_.width, 0.0f);
    for (std::int64_t begin = 0; begin < s_.rows; begin += 64) {
      std::fill_n(gain_part, 2 * s_.width, 0.0f);
      for (std::int64_t r = begin; r < std::min(begin + 64, s_.rows); ++r) {
        const float inverse = 1 / std::sqrt(call.input(3)[r] + s_.eps);
        backward_row({call.input(0) + r * s_.width, call.input(4) + r * s_.width, call.input(1), call.input(2)[r], inverse}, s_.width,
                     call.output(0) + r * s_.width, gain_part, bias_part);
      }
      for (std::int64_t i = 0; i < s_.width; ++i) {
        call.output(1)[i] += gain_part[i];
        call.output(2)[i] += bias_part[i];
      }
    }
  }

 private:
  Sizes s_;
};

}  // namespace

std::unique_ptr<CpuKernel> layer_norm_cpu(const KernelSpec& spec) {
  return make_kernel([s = Sizes(spec)](const CpuCall& call) {
    for (std::int64_t r = 0; r < s.rows; ++r) {
      const Statistics row =
          normalise(call.output(0) + r * s.width, call.input(0) + r * s.width, call.input(1), call.input(2), s.width, s.eps);
      call.output(1)[r] = row.mean;
      call.output(2)[r] = row.variance;
    }
  });
}
std::unique_ptr<CpuKernel> layer_norm_backward_cpu(const KernelSpec& spec) { return make<LayerNormBackwardKernel>(spec); }

}  // namespace lockstep
