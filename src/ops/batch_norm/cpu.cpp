#include <cmath>

#include "ops/batch_norm/batch_norm.hpp"
#include "ops/max_pool/window.hpp"

namespace lockstep {
namespace {

constexpr int kMost = 16;  // elements in one strip

/// x in memory: [samples, groups, area, lanes]; channel = group · lanes + lane.
struct Extent {
  std::int64_t samples = 1, groups = 1, area = 1, lanes = 1;

  Extent(const TensorType& x, Layout layout) {
    const Shape& shape = x.shape;
    if (shape.rank() == 2) {  // the same memory seen as one image with a pixel a sample
      area = shape[0];
      lanes = shape[1];
      return;
    }
    const Planes planes = planes_of(shape[0], shape[1], layout);
    samples = shape[0];
    groups = planes.planes / shape[0];
    lanes = planes.lanes;
    area = shape.elements() / (shape[0] * shape[1]);
  }
  [[nodiscard]] double per_channel() const { return static_cast<double>(samples * area); }
};

/// Some neighbouring channels that are computed at once: `width` lanes, or one channel of a plain tensor whose strips go along the image.
struct Channels {
  std::int64_t group = 0, lane = 0;
  int width = 1;
  bool along_image = false;

  [[nodiscard]] std::int64_t first(const Extent& e) const { return group * e.lanes + lane; }
};

/// Calls `visit(Channels, strip width)` for all channels; the strip width is a constant of the compiler's.
template <class Visit>
void for_each_channels(const Extent& e, Visit visit) {
  for (std::int64_t group = 0; group < e.groups; ++group) {
    if (e.lanes == 1) {
      visit(Channels{group, 0, 1, true}, std::integral_constant<int, kMost>{});
    } else {
      in_runs<8>(e.lanes, [&](auto width, std::int64_t lane) { visit(Channels{group, lane, width, false}, width); });
    }
  }
}

/// Calls `visit(width, offset)` for all strips of the channels, and `pause()` after every 256 strips and every sample.
template <int kWidth, class Visit, class Pause>
void for_each_strip(const Extent& e, const Channels& channels, Visit visit, Pause pause) {
  const std::int64_t strip = channels.along_image ? kWidth : 1, strips = e.area / strip;
  for (std::int64_t n = 0; n < e.samples; ++n) {
    const std::int64_t base = (n * e.groups + channels.group) * e.area * e.lanes + channels.lane;
    for (std::int64_t begin = 0; begin < strips; begin += 256) {
      const std::int64_t end = std::min(begin + 256, strips);
      for (std::int64_t s = begin; s < end; ++s) {
        visit(std::integral_constant<int, kWidth>{}, base + s * strip * e.lanes);
      }
      pause();
    }
    for (std::int64_t s = strips * strip; s < e.area; ++s) {
      visit(std::integral_constant<int, 1>{}, base + s);
    }
    pause();
  }
}

/// kSums sums for each channel: in float over a few hundred elements, those in double.
template <int kWidth, int kSums>
class Sums {
 public:
  float part[kSums][kWidth] = {};

  void flush() {
    for (int k = 0; k < kSums; ++k) {
      for (int l = 0; l < kWidth; ++l) {
        total_[k][l] += static_cast<double>(part[k][l]);
        part[k][l] = 0.0f;
      }
    }
  }
  /// Sum k of channel l of the run.
  [[nodiscard]] double of(int k, int l, const Channels& channels) const {
    if (!channels.along_image) {
      return total_[k][l];
    }
    double all = 0;
    for (int i = 0; i < kWidth; ++i) {
      all += total_[k][i];
    }
    return all;
  }

 private:
  double total_[kSums][kWidth] = {};
};

/// One number for each element of a strip, from one for each channel.
template <int kWidth>
struct Spread {
  float of[kWidth];

  template <class Number>
  Spread(const Channels& channels, Number number) {
    for (int l = 0; l < kWidth; ++l) {
      of[l] = static_cast<float>(number(channels.along_image ? 0 : l));
    }
  }
};

constexpr auto kNoPause = [] {};

class BatchNormKernel final : public CpuKernel {
 public:
  explicit BatchNormKernel(const KernelSpec& spec) : e_(spec.in[0], spec.in_layouts[0]), eps_(spec.attrs.real("eps")) {}

  void run(const CpuCall& call) override {
    for_each_channels(e_, [&](const Channels& channels, auto width) { normalise<width>(channels, call); });
  }

 private:
  template <int kWidth>
  void normalise(const Channels& channels, const CpuCall& call) const {
    const float* x = call.input(0);
    const std::int64_t first = channels.first(e_);
    Sums<kWidth, 1> sum, squares;
    for_each_strip<kWidth>(
        e_, channels,
        [&](auto width, std::int64_t at) {
          for (int l = 0; l < width; ++l) {
            sum.part[0][l] += x[at + l];
          }
        },
        [&] { sum.flush(); });
    const Spread<kWidth> mean(channels, [&](int l) { return sum.of(0, l, channels) / e_.per_channel(); });
    for_each_strip<kWidth>(
        e_, channels,
        [&](auto width, std::int64_t at) {
          for (int l = 0; l < width; ++l) {
            const float d = x[at + l] - mean.of[l];
            squares.part[0][l] += d * d;
          }
        },
        [&] { squares.flush(); });
    const auto variance = [&](int l) { return squares.of(0, l, channels) / e_.per_channel(); };
    const Spread<kWidth> scale(channels,
                               [&](int l) { return static_cast<double>(call.input(1)[first + l]) / std::sqrt(variance(l) + eps_); });
    const Spread<kWidth> bias(channels, [&](int l) { return call.input(2)[first + l]; });
    for (int l = 0; l < channels.width; ++l) {
      call.output(1)[first + l] = mean.of[l];
      call.output(2)[first + l] = static_cast<float>(variance(l));
    }
    float* y = call.output(0);
    for_each_strip<kWidth>(
        e_, channels,
        [&](auto width, std::int64_t at) {
          for (int l = 0; l < width; ++l) {
            y[at + l] = (x[at + l] - mean.of[l]) * scale.of[l] + bias.of[l];
          }
        },
        kNoPause);
  }

  Extent e_;
  double eps_;
};

class BatchNormBackwardKernel final : public CpuKernel {
 public:
  explicit BatchNormBackwardKernel(const KernelSpec& spec) : e_(spec.in[0], spec.in_layouts[0]), eps_(spec.attrs.real("eps")) {}

  void run(const CpuCall& call) override {
    for_each_channels(e_, [&](const Channels& channels, auto width) { differentiate<width>(channels, call); });
  }

 private:
  template <int kWidth>
  void differentiate(const Channels& channels, const CpuCall& call) const {
    const float *x = call.input(0), *g = call.input(4);
    const std::int64_t first = channels.first(e_);
    const auto inverse = [&](int l) { return 1 / std::sqrt(static_cast<double>(call.input(3)[first + l]) + eps_); };
    const Spread<kWidth> mean(channels, [&](int l) { return call.input(2)[first + l]; });
    Sums<kWidth, 2> sums;  // of g, and of g·(x − mean)
    for_each_strip<kWidth>(
        e_, channels,
        [&](auto width, std::int64_t at) {
          for (int l = 0; l < width; ++l) {
            sums.part[0][l] += g[at + l];
            sums.part[1][l] += g[at + l] * (x[at + l] - mean.of[l]);
          }
        },
        [&] { sums.flush(); });
    for (int l = 0; l < channels.width; ++l) {
      call.output(1)[first + l] = static_cast<float>(sums.of(1, l, channels) * inverse(l));
      call.output(2)[first + l] = static_cast<float>(sums.of(0, l, channels));
    }
    // dx = scale·(g − share − slope·(x − mean))
    const Spread<kWidth> scale(channels, [&](int l) { return static_cast<double>(call.input(1)[first + l]) * inverse(l); });
    const Spread<kWidth> share(channels, [&](int l) { return sums.of(0, l, channels) / e_.per_channel(); });
    const Spread<kWidth> slope(channels, [&](int l) { return sums.of(1, l, channels) * inverse(l) * inverse(l) / e_.per_channel(); });
    float* dx = call.output(0);
    for_each_strip<kWidth>(
        e_, channels,
        [&](auto width, std::int64_t at) {
          for (int l = 0; l < width; ++l) {
            dx[at + l] = scale.of[l] * (g[at + l] - share.of[l] - slope.of[l] * (x[at + l] - mean.of[l]));
          }
        },
        kNoPause);
  }

  Extent e_;
  double eps_;
};

}  // namespace

std::unique_ptr<CpuKernel> batch_norm_cpu(const KernelSpec& spec) { return make<BatchNormKernel>(spec); }
std::unique_ptr<CpuKernel> batch_norm_backward_cpu(const KernelSpec& spec) { return make<BatchNormBackwardKernel>(spec); }

}  // namespace lockstep
