#include <algorithm>
#include <cmath>

#include "ops/batch_norm/batch_norm.hpp"
#include "ops/matmul/activation.hpp"
#include "ops/vectors.hpp"

namespace lockstep {
namespace {

/// x in memory: rows of `lanes` numbers, `inner` neighbours of each channel. channels_last and rank 2 have a lane a channel; plain
/// [N, C, ...] is N rows of C channels with all their pixels.
struct Rows {
  std::int64_t rows = 1, lanes = 1, channels = 1, inner = 1;

  Rows(const TensorType& x, Layout layout) : channels(x.shape[1]) {
    inner = layout == Layout::channels_last ? 1 : x.elements() / (x.shape[0] * channels);
    lanes = channels * inner;
    rows = x.elements() / lanes;
  }
  [[nodiscard]] double per_channel() const { return static_cast<double>(rows * inner); }
};

/// Calls `visit(Run, lane, rows)` with a Run of lanes that starts at `lane`, and `rows`, which calls its function with the place of that
/// lane in each row of a block that stays in the first cache.
template <class Visit>
void for_each_block(const Rows& e, Visit visit) {
  const std::int64_t block = std::max<std::int64_t>(8, 2048 / e.lanes);
  for (std::int64_t begin = 0; begin < e.rows; begin += block) {
    const std::int64_t end = std::min(begin + block, e.rows);
    in_vectors(e.lanes, [&](auto run, std::int64_t lane) {
      visit(run, lane, [&](auto each) {
        for (std::int64_t row = begin; row < end; ++row) {
          each(row * e.lanes + lane);
        }
      });
    });
  }
}

/// The numbers of a run's lanes, the same in all rows.
template <class R>
struct Lanes {
  typename R::Value of[R::count];

  explicit Lanes(const float* from) {
    R::for_each(0, [&](int k, std::int64_t at) { load(of[k], from + at); });
  }
};

/// Sums over the rows for a run of lanes: in float over a block of rows, those in double, in `totals`.
template <class R>
struct Sums {
  typename R::Value of[R::count] = {};

  void add_to(double* totals) const {
    R::for_each(0, [&](int k, std::int64_t at) {
      float parts[R::step];
      std::memcpy(parts, &of[k], sizeof parts);
      for (std::int64_t l = 0; l < R::step; ++l) {
        totals[at + l] += static_cast<double>(parts[l]);
      }
    });
  }
};

/// Scratch memory: two sums in double and five numbers in float for each lane.
struct Scratch {
  static constexpr int kNumbers = 5;
  double *first, *second;
  float* numbers[kNumbers];

  Scratch(std::byte* memory, std::int64_t lanes) : first(reinterpret_cast<double*>(memory)), second(first + lanes) {
    for (int i = 0; i < kNumbers; ++i) {
      numbers[i] = reinterpret_cast<float*>(second + lanes) + i * lanes;
    }
    std::fill_n(first, 2 * lanes, 0.0);
  }
  static std::size_t bytes(std::int64_t lanes) { return static_cast<std::size_t>(lanes) * (2 * sizeof(double) + kNumbers * sizeof(float)); }
};

/// numbers[lane] = number(the lane's channel)
template <class Number>
void spread(const Rows& e, float* numbers, Number number) {
  for (std::int64_t c = 0; c < e.channels; ++c) {
    std::fill_n(numbers + c * e.inner, e.inner, static_cast<float>(number(c)));
  }
}

double inverse_deviation(float variance, double eps) { return 1 / std::sqrt(static_cast<double>(variance) + eps); }

class BatchNormKernel final : public CpuKernel {
 public:
  explicit BatchNormKernel(const KernelSpec& spec)
      : e_(spec.in[0], spec.in_layouts[0]),
        eps_(spec.attrs.real("eps")),
        residual_(spec.in.size() > 3),
        relu_(spec.attrs.has(kActivation)) {}

  [[nodiscard]] std::size_t scratch_bytes() const override { return Scratch::bytes(e_.lanes); }

  void run(const CpuCall& call) override {
    const Scratch scratch(call.scratch, e_.lanes);
    add_up(call.input(0), scratch);
    finish_statistics(scratch, call.output(1), call.output(2));
    const float *mean = call.output(1), *variance = call.output(2);
    spread(e_, scratch.numbers[0], [&](std::int64_t c) { return mean[c]; });
    spread(e_, scratch.numbers[1], [&](std::int64_t c) { return call.input(1)[c] * inverse_deviation(variance[c], eps_); });
    spread(e_, scratch.numbers[2], [&](std::int64_t c) { return call.input(2)[c]; });
    if (residual_) {
      relu_ ? normalise<true, true>(call, scratch) : normalise<true, false>(call, scratch);
    } else {
      relu_ ? normalise<false, true>(call, scratch) : normalise<false, false>(call, scratch);
    }
  }

 private:
  /// One pass: Σ d and Σ d², d = x − shift. The shift, the mean of some rows from all over x, is near enough to the mean that their
  /// difference loses nothing, however large the mean is.
  void add_up(const float* x, const Scratch& scratch) const {
    float* shift = scratch.numbers[3];
    const std::int64_t some = std::min<std::int64_t>(e_.rows, 64);
    std::fill_n(shift, e_.lanes, 0.0f);
    for (std::int64_t i = 0; i < some; ++i) {
      const float* row = x + e_.rows * i / some * e_.lanes;
      for (std::int64_t l = 0; l < e_.lanes; ++l) {
        shift[l] += row[l] / static_cast<float>(some);
      }
    }
    for_each_block(e_, [&](auto run, std::int64_t lane, auto rows) {
      using R = decltype(run);
      const Lanes<R> from(shift + lane);
      Sums<R> sum, squares;
      rows([&](std::int64_t row) {
        R::for_each(row, [&](int k, std::int64_t at) {
          typename R::Value d;
          load(d, x + at);
          d -= from.of[k];
          sum.of[k] += d;
          squares.of[k] += d * d;
        });
      });
      sum.add_to(scratch.first + lane);
      squares.add_to(scratch.second + lane);
    });
  }

  /// From each lane's sums its channel's mean and variance: the squares about the lane's own mean and, for each of its rows, the square
  /// of the distance between the two means.
  void finish_statistics(const Scratch& scratch, float* mean, float* variance) const {
    const auto rows = static_cast<double>(e_.rows);
    const auto mean_of = [&](std::int64_t lane) { return static_cast<double>(scratch.numbers[3][lane]) + scratch.first[lane] / rows; };
    for (std::int64_t c = 0; c < e_.channels; ++c) {
      double average = 0, squares = 0;
      for (std::int64_t l = c * e_.inner; l < (c + 1) * e_.inner; ++l) {
        average += mean_of(l) / static_cast<double>(e_.inner);
      }
      for (std::int64_t l = c * e_.inner; l < (c + 1) * e_.inner; ++l) {
        const double apart = mean_of(l) - average;
        squares += std::max(0.0, scratch.second[l] - scratch.first[l] * scratch.first[l] / rows) + rows * apart * apart;
      }
      mean[c] = static_cast<float>(average);
      variance[c] = static_cast<float>(squares / e_.per_channel());
    }
  }

  template <bool kResidual, bool kRelu>
  void normalise(const CpuCall& call, const Scratch& scratch) const {
    const float *x = call.input(0), *residual = kResidual ? call.input(3) : nullptr;
    float* y = call.output(0);
    for_each_block(e_, [&](auto run, std::int64_t lane, auto rows) {
      using R = decltype(run);
      const Lanes<R> mean(scratch.numbers[0] + lane), scale(scratch.numbers[1] + lane), bias(scratch.numbers[2] + lane);
      const typename R::Value zero{};
      rows([&](std::int64_t row) {
        R::for_each(row, [&](int k, std::int64_t at) {
          typename R::Value t, other;
          load(t, x + at);
          t = (t - mean.of[k]) * scale.of[k] + bias.of[k];
          if constexpr (kResidual) {
            load(other, residual + at);
            t += other;
          }
          store(y + at, kRelu ? (t < zero ? zero : t) : t);
        });
      });
    });
  }

  Rows e_;
  double eps_;
  bool residual_, relu_;
};

class BatchNormBackwardKernel final : public CpuKernel {
 public:
  explicit BatchNormBackwardKernel(const KernelSpec& spec)
      : e_(spec.in[0], spec.in_layouts[0]), eps_(spec.attrs.real("eps")), mask_(mask_of(spec.attrs)), addend_(has_addend(spec.attrs)) {}

  [[nodiscard]] std::size_t scratch_bytes() const override { return Scratch::bytes(e_.lanes); }

  void run(const CpuCall& call) override {
    const Scratch scratch(call.scratch, e_.lanes);
    const float *gain = call.input(1), *mean = call.input(2), *variance = call.input(3);
    spread(e_, scratch.numbers[0], [&](std::int64_t c) { return mean[c]; });
    spread(e_, scratch.numbers[1], [&](std::int64_t c) { return gain[c] * inverse_deviation(variance[c], eps_); });
    if (mask_ == Mask::own) {
      spread(e_, scratch.numbers[2], [&](std::int64_t c) { return call.input(5)[c]; });
    }
    Source source{call.input(0), call.input(4), addend_ ? call.input(call.in.size() - 1) : nullptr,
                  mask_ == Mask::tensor ? call.input(5) : nullptr, mask_ == Mask::tensor ? call.output(3) : nullptr};
    dispatch(mask_, addend_, [&](auto mask, auto addend) { add_up<mask, addend>(source, scratch); });
    finish_sums(call, scratch);
    if (mask_ == Mask::tensor) {  // the masked gradient is there now
      source.g = source.masked;
      differentiate<Mask::none, false>(source, call.output(0), scratch);
    } else {
      dispatch(mask_, addend_, [&](auto mask, auto addend) { differentiate<mask, addend>(source, call.output(0), scratch); });
    }
  }

 private:
  struct Source {
    const float *x, *g, *addend, *mask;
    float* masked;
  };

  template <class Use>
  static void dispatch(Mask mask, bool addend, Use use) {
    const auto with = [&](auto constant) { addend ? use(constant, std::true_type{}) : use(constant, std::false_type{}); };
    switch (mask) {
      case Mask::none:
        return with(std::integral_constant<Mask, Mask::none>{});
      case Mask::own:
        return with(std::integral_constant<Mask, Mask::own>{});
      case Mask::tensor:
        return with(std::integral_constant<Mask, Mask::tensor>{});
    }
  }

  /// The gradient at one place; `normal` is the op's result there, without its activation.
  template <Mask kMask, bool kAddend, class T>
  static void gradient(T& g, const Source& source, std::int64_t at, const T& normal) {
    const T zero{};
    T other;
    load(g, source.g + at);
    if constexpr (kAddend) {
      load(other, source.addend + at);
      g += other;
    }
    if constexpr (kMask == Mask::own) {
      g = normal > zero ? g : zero;
    } else if constexpr (kMask == Mask::tensor) {
      load(other, source.mask + at);
      g = other > zero ? g : zero;
    }
  }

  /// Σ g and Σ g·(x − mean).
  template <Mask kMask, bool kAddend>
  void add_up(const Source& source, const Scratch& scratch) const {
    for_each_block(e_, [&](auto run, std::int64_t lane, auto rows) {
      using R = decltype(run);
      const Lanes<R> mean(scratch.numbers[0] + lane), scale(scratch.numbers[1] + lane), bias(scratch.numbers[2] + lane);
      Sums<R> sum, products;
      rows([&](std::int64_t row) {
        R::for_each(row, [&](int k, std::int64_t at) {
          typename R::Value d, g;
          load(d, source.x + at);
          d -= mean.of[k];
          gradient<kMask, kAddend>(g, source, at, d * scale.of[k] + bias.of[k]);
          if constexpr (kMask == Mask::tensor) {
            store(source.masked + at, g);
          }
          sum.of[k] += g;
          products.of[k] += g * d;
        });
      });
      sum.add_to(scratch.first + lane);
      products.add_to(scratch.second + lane);
    });
  }

  /// dgain and dbias, and what all of a channel have in common in dx.
  void finish_sums(const CpuCall& call, const Scratch& scratch) const {
    for (std::int64_t c = 0; c < e_.channels; ++c) {
      double sum = 0, products = 0;
      for (std::int64_t l = c * e_.inner; l < (c + 1) * e_.inner; ++l) {
        sum += scratch.first[l];
        products += scratch.second[l];
      }
      const double inverse = inverse_deviation(call.input(3)[c], eps_);
      call.output(1)[c] = static_cast<float>(products * inverse);
      call.output(2)[c] = static_cast<float>(sum);
      std::fill_n(scratch.numbers[3] + c * e_.inner, e_.inner, static_cast<float>(sum / e_.per_channel()));
      std::fill_n(scratch.numbers[4] + c * e_.inner, e_.inner, static_cast<float>(products * inverse * inverse / e_.per_channel()));
    }
  }

  /// dx = scale·(g − share − slope·(x − mean))
  template <Mask kMask, bool kAddend>
  void differentiate(const Source& source, float* dx, const Scratch& scratch) const {
    for_each_block(e_, [&](auto run, std::int64_t lane, auto rows) {
      using R = decltype(run);
      const Lanes<R> mean(scratch.numbers[0] + lane), scale(scratch.numbers[1] + lane), bias(scratch.numbers[2] + lane),
          share(scratch.numbers[3] + lane), slope(scratch.numbers[4] + lane);
      rows([&](std::int64_t row) {
        R::for_each(row, [&](int k, std::int64_t at) {
          typename R::Value d, g;
          load(d, source.x + at);
          d -= mean.of[k];
          gradient<kMask, kAddend>(g, source, at, d * scale.of[k] + bias.of[k]);
          store(dx + at, scale.of[k] * (g - share.of[k] - slope.of[k] * d));
        });
      });
    });
  }

  Rows e_;
  double eps_;
  Mask mask_;
  bool addend_;
};

}  // namespace

std::unique_ptr<CpuKernel> batch_norm_cpu(const KernelSpec& spec) { return make<BatchNormKernel>(spec); }
std::unique_ptr<CpuKernel> batch_norm_backward_cpu(const KernelSpec& spec) { return make<BatchNormBackwardKernel>(spec); }

}  // namespace lockstep
