#include "ops/attention/attention.hpp"
#include "ops/fast_math.hpp"
#include "ops/reduction.hpp"
#include "ops/wide.hpp"
#include "runtime/onednn.hpp"

namespace lockstep {
namespace {

/// Queries worked on at a time. Few, so that little is computed beyond the last position that a query sees; not fewer, or the products get
/// slow. ms of 4 layers, forward and backward, 16 samples of 128 positions, 4 heads of 32 (oneDNN 2.6.3, Zen 5): 16 rows 16.5, 32 13.2,
/// 64 11.9.
constexpr std::int64_t kTileRows = 64;

/// The work on one tile: queries [begin, end) of one head of one sample, and how many positions its last one sees.
struct Tile {
  std::int64_t sample, head, begin, end, seen;

  [[nodiscard]] std::int64_t rows() const { return end - begin; }
};

struct RowSum {
  float greatest, total;
};

/// How many of a query's n scores are worked on: those it sees, to the end of a vector.
int touched(int n, int visible) { return std::min(n, (visible + 15) / 16 * 16); }

/// One query's scores [n] become exp(scale·(score − greatest)), and 0 from `visible` on.
LOCKSTEP_WIDE RowSum exponentials(float* scores, int n, int visible, float scale) {
  const int end = touched(n, visible);
  std::fill(scores + visible, scores + end, -std::numeric_limits<float>::infinity());
  const float greatest = fold_row<MaxFold>(scores, static_cast<std::size_t>(end));
  for (int j = 0; j < end; ++j) {
    scores[j] = fast::exp_normal((scores[j] - greatest) * scale);
  }
  std::fill(scores + end, scores + n, 0.0F);
  return {greatest, fold_row<SumFold>(scores, static_cast<std::size_t>(end))};
}

/// One query's scores become its weights p = exp(scale·score − log_sum), 0 from `visible` on, and its products g·v become
/// t = scale·p·(g·v − r).
LOCKSTEP_WIDE void weigh(float* __restrict scores, float* __restrict products, int n, int visible, float scale, float log_sum) {
  const int end = touched(n, visible);
  for (int j = 0; j < end; ++j) {
    scores[j] = j < visible ? fast::exp_normal(scores[j] * scale - log_sum) : 0.0F;
  }
  const auto r = static_cast<float>(sums_of<1>(end, [=](auto at) { return std::array{at(scores) * at(products)}; })[0]);
  for (int j = 0; j < end; ++j) {
    products[j] = scores[j] * (products[j] - r) * scale;
  }
  std::fill(scores + end, scores + n, 0.0F);
  std::fill(products + end, products + n, 0.0F);
}

class AttentionBase : public CpuKernel {
 public:
  AttentionBase(const KernelSpec& spec, std::string_view op)
      : s_(attention_sizes(spec.in[0], spec.attrs, op)), scale_(static_cast<float>(1 / std::sqrt(static_cast<double>(s_.width)))) {}

 protected:
  /// Each head's last tile first: it sees all positions.
  template <class Visit>
  void for_each_tile(Visit visit) const {
    const std::int64_t last = (s_.positions - 1) / kTileRows * kTileRows;
    for (std::int64_t b = 0; b < s_.samples; ++b) {
      for (std::int64_t h = 0; h < s_.heads; ++h) {
        for (std::int64_t begin = last; begin >= 0; begin -= kTileRows) {
          const std::int64_t end = std::min(begin + kTileRows, s_.positions);
          visit(Tile{b, h, begin, end, s_.causal ? end : s_.positions});
        }
      }
    }
  }

  [[nodiscard]] std::size_t tile_size() const { return static_cast<std::size_t>(kTileRows * s_.positions); }
  /// Places in qkv (part 0: query, 1: key, 2: value), in y, and in log_sum.
  [[nodiscard]] std::int64_t packed(const Tile& tile, int part, std::int64_t position) const {
    return (tile.sample * s_.positions + position) * s_.packed_row() + part * s_.row() + tile.head * s_.width;
  }
  [[nodiscard]] std::int64_t plain(const Tile& tile, std::int64_t position) const {
    return (tile.sample * s_.positions + position) * s_.row() + tile.head * s_.width;
  }
  [[nodiscard]] std::int64_t row(const Tile& tile, std::int64_t position) const {
    return (tile.sample * s_.heads + tile.head) * s_.positions + position;
  }

  /// scores [rows, seen] = q·kᵀ
  void score(const float* qkv, const Tile& tile, float* scores) const {
    onednn::product(false, true, tile.rows(), tile.seen, s_.width, qkv + packed(tile, 0, tile.begin), qkv + packed(tile, 1, 0), 0, scores,
                    {s_.packed_row(), s_.packed_row(), 0});
  }
  /// Positions that the query in row i of a tile sees.
  [[nodiscard]] int visible(const Tile& tile, std::int64_t i) const {
    return static_cast<int>(s_.causal ? tile.begin + i + 1 : s_.positions);
  }

  AttentionSizes s_;
  float scale_;
};

class AttentionKernel final : public AttentionBase {
 public:
  explicit AttentionKernel(const KernelSpec& spec) : AttentionBase(spec, "attention") {}

  [[nodiscard]] std::size_t scratch_bytes() const override { return tile_size() * sizeof(float); }

  void run(const CpuCall& call) override {
    auto* const weights = reinterpret_cast<float*>(call.scratch);
    const float* const qkv = call.input(0);
    for_each_tile([&](const Tile& tile) {
      score(qkv, tile, weights);
      float greatest[kTileRows], total[kTileRows];
      for (std::int64_t i = 0; i < tile.rows(); ++i) {
        const RowSum sum = exponentials(weights + i * tile.seen, static_cast<int>(tile.seen), visible(tile, i), scale_);
        greatest[i] = sum.greatest;
        total[i] = sum.total;
      }
      float* const log_sums = call.output(1) + row(tile, tile.begin);
      for (std::int64_t i = 0; i < tile.rows(); ++i) {
        log_sums[i] = greatest[i] * scale_ + fast::log(total[i]);
      }
      float* const y = call.output(0) + plain(tile, tile.begin);
      onednn::product(false, false, tile.rows(), s_.width, tile.seen, weights, qkv + packed(tile, 2, 0), 0, y,
                      {0, s_.packed_row(), s_.row()});
      for (std::int64_t i = 0; i < tile.rows(); ++i) {
        const float share = 1.0F / total[i];
        for (std::int64_t d = 0; d < s_.width; ++d) {
          y[i * s_.row() + d] *= share;
        }
      }
    });
  }
};

class AttentionBackwardKernel final : public AttentionBase {
 public:
  explicit AttentionBackwardKernel(const KernelSpec& spec) : AttentionBase(spec, "attention_backward") {}

  [[nodiscard]] std::size_t scratch_bytes() const override { return 2 * tile_size() * sizeof(float); }

  void run(const CpuCall& call) override {
    float *const weights = reinterpret_cast<float*>(call.scratch), *const slopes = weights + tile_size();
    const float *const qkv = call.input(0), *const all_g = call.input(2);
    const std::int64_t packed_row = s_.packed_row();
    for_each_tile([&](const Tile& tile) {
      const float* const g = all_g + plain(tile, tile.begin);
      float* const out = call.output(0);
      score(qkv, tile, weights);
      onednn::product(false, true, tile.rows(), tile.seen, s_.width, g, qkv + packed(tile, 2, 0), 0, slopes, {s_.row(), packed_row, 0});
      for (std::int64_t i = 0; i < tile.rows(); ++i) {
        const float log_sum = call.input(1)[row(tile, tile.begin + i)];
        weigh(weights + i * tile.seen, slopes + i * tile.seen, static_cast<int>(tile.seen), visible(tile, i), scale_, log_sum);
      }
      // The head's first tile sees all positions and writes their keys' and values' gradients, the others add to them.
      const float beta = tile.end == s_.positions ? 0.0F : 1.0F;
      onednn::product(false, false, tile.rows(), s_.width, tile.seen, slopes, qkv + packed(tile, 1, 0), 0,
                      out + packed(tile, 0, tile.begin), {0, packed_row, packed_row});
      onednn::product(true, false, tile.seen, s_.width, tile.rows(), slopes, qkv + packed(tile, 0, tile.begin), beta,
                      out + packed(tile, 1, 0), {tile.seen, packed_row, packed_row});
      onednn::product(true, false, tile.seen, s_.width, tile.rows(), weights, g, beta, out + packed(tile, 2, 0),
                      {tile.seen, s_.row(), packed_row});
    });
  }
};

}  // namespace

std::unique_ptr<CpuKernel> attention_cpu(const KernelSpec& spec) { return make<AttentionKernel>(spec); }
std::unique_ptr<CpuKernel> attention_backward_cpu(const KernelSpec& spec) { return make<AttentionBackwardKernel>(spec); }

}  // namespace lockstep
