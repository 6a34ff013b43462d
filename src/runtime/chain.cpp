#include "runtime/chain.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace lockstep {
namespace {

constexpr std::size_t kMostSources = 4;
using Axes = std::vector<std::pair<std::int64_t, std::int64_t>>;

/// Axes of length 1 dropped, neighbours that step as one joined.
Axes coalesce(const Axes& axes) {
  Axes result;
  for (const auto& [length, stride] : axes) {
    if (length == 1) {
      continue;
    }
    if (!result.empty() && result.back().second == stride * length) {
      result.back() = {result.back().first * length, stride};
    } else {
      result.emplace_back(length, stride);
    }
  }
  if (result.empty()) {
    result.emplace_back(1, 0);
  }
  return result;
}

/// Writes elements start … start+n−1 of a broadcast operand, as the result would see them.
void expand(float* out, const float* in, const Axes& axes, std::size_t start, std::size_t n) {
  const auto [inner, inner_stride] = axes.back();
  std::size_t done = 0;
  while (done < n) {
    auto rest = static_cast<std::int64_t>(start + done);
    const std::int64_t inside = rest % inner;
    rest /= inner;
    std::int64_t offset = inside * inner_stride;
    for (std::size_t a = axes.size() - 1; a-- > 0;) {
      offset += rest % axes[a].first * axes[a].second;
      rest /= axes[a].first;
    }
    const std::size_t run = std::min(n - done, static_cast<std::size_t>(inner - inside));
    if (inner_stride == 0) {
      std::fill_n(out + done, run, in[offset]);
    } else if (inner_stride == 1) {
      std::memcpy(out + done, in + offset, run * sizeof(float));
    } else {
      for (std::size_t i = 0; i < run; ++i) {
        out[done + i] = in[offset + static_cast<std::int64_t>(i) * inner_stride];
      }
    }
    done += run;
  }
}

class ChainKernel final : public CpuKernel {
 public:
  explicit ChainKernel(const ChainSpec& spec) : spec_(spec) {
    for (ChainSpec::Operand& operand : spec_.operands) {
      operand.axes = coalesce(operand.axes);
    }
    assign_tiles();
  }

  [[nodiscard]] std::size_t scratch_bytes() const override { return static_cast<std::size_t>(tiles_) * kTile * sizeof(float); }

  void run(const CpuCall& call) override {
    auto* tiles = reinterpret_cast<float*>(call.scratch);
    fill_scalars(call, tiles);
    for (std::size_t start = 0; start < spec_.elements; start += kTile) {
      run_tile(call, tiles, start, std::min(kTile, spec_.elements - start));
    }
  }

 private:
  [[nodiscard]] bool is_scalar(std::size_t operand) const {
    const ChainSpec::Operand& o = spec_.operands[operand];
    return !o.dense && o.axes.size() == 1 && o.axes[0].second == 0;
  }

  /// Every broadcast operand has a tile of its own; an intermediate's tile is used again after its last reader.
  void assign_tiles() {
    operand_tile_.assign(spec_.operands.size(), -1);
    for (std::size_t i = 0; i < spec_.operands.size(); ++i) {
      if (!spec_.operands[i].dense) {
        operand_tile_[i] = tiles_++;
      }
    }
    const auto base = static_cast<int>(spec_.operands.size());
    std::vector<std::size_t> last_use(spec_.instructions.size(), 0);
    for (std::size_t k = 0; k < spec_.instructions.size(); ++k) {
      if (spec_.instructions[k].sources.size() > kMostSources) {
        throw UsageError(fmt::format("an elementwise op may have at most {} operands", kMostSources));
      }
      for (const int source : spec_.instructions[k].sources) {
        if (source >= base) {
          last_use[static_cast<std::size_t>(source - base)] = k;
        }
      }
    }
    std::vector<int> free;
    result_tile_.assign(spec_.instructions.size(), -1);
    for (std::size_t k = 0; k < spec_.instructions.size(); ++k) {
      if (spec_.instructions[k].result < 0) {
        if (free.empty()) {
          free.push_back(tiles_++);
        }
        result_tile_[k] = free.back();
        free.pop_back();
      }
      for (std::size_t earlier = 0; earlier < k; ++earlier) {
        if (last_use[earlier] == k && result_tile_[earlier] >= 0) {
          free.push_back(result_tile_[earlier]);
        }
      }
    }
  }

  void fill_scalars(const CpuCall& call, float* tiles) const {
    for (std::size_t i = 0; i < spec_.operands.size(); ++i) {
      if (is_scalar(i)) {
        std::fill_n(tiles + static_cast<std::size_t>(operand_tile_[i]) * kTile, std::min(kTile, spec_.elements), call.input(i)[0]);
      }
    }
  }

  void run_tile(const CpuCall& call, float* tiles, std::size_t start, std::size_t n) const {
    for (std::size_t i = 0; i < spec_.operands.size(); ++i) {
      if (!spec_.operands[i].dense && !is_scalar(i)) {
        expand(tiles + static_cast<std::size_t>(operand_tile_[i]) * kTile, call.input(i), spec_.operands[i].axes, start, n);
      }
    }
    for (std::size_t k = 0; k < spec_.instructions.size(); ++k) {
      const ChainSpec::Instruction& instruction = spec_.instructions[k];
      std::array<const float*, kMostSources> sources{};
      for (std::size_t s = 0; s < instruction.sources.size(); ++s) {
        sources[s] = source(call, tiles, instruction.sources[s], start);
      }
      instruction.tile(result(call, tiles, k, start), sources.data(), n, instruction.attrs);
    }
  }

  [[nodiscard]] float* result(const CpuCall& call, float* tiles, std::size_t k, std::size_t start) const {
    const int output = spec_.instructions[k].result;
    return output >= 0 ? call.output(static_cast<std::size_t>(output)) + start : tiles + static_cast<std::size_t>(result_tile_[k]) * kTile;
  }

  [[nodiscard]] const float* source(const CpuCall& call, float* tiles, int source, std::size_t start) const {
    const auto index = static_cast<std::size_t>(source);
    if (index >= spec_.operands.size()) {
      return result(call, tiles, index - spec_.operands.size(), start);
    }
    return spec_.operands[index].dense ? call.input(index) + start : tiles + static_cast<std::size_t>(operand_tile_[index]) * kTile;
  }

  ChainSpec spec_;
  std::vector<int> operand_tile_;
  std::vector<int> result_tile_;
  int tiles_ = 0;
};

}  // namespace

bool ChainSpec::may_share(int result, int operand) const {
  bool written = false;
  for (const Instruction& instruction : instructions) {
    if (written && std::find(instruction.sources.begin(), instruction.sources.end(), operand) != instruction.sources.end()) {
      return false;
    }
    written = written || instruction.result == result;
  }
  return operands[static_cast<std::size_t>(operand)].dense;
}

std::vector<std::pair<std::int64_t, std::int64_t>> broadcast_axes(const Shape& from, const Shape& to, Layout layout) {
  Axes axes(static_cast<std::size_t>(to.rank()));
  std::int64_t stride = 1;
  for (int i = 1; i <= to.rank(); ++i) {
    const std::int64_t length = i <= from.rank() ? from[-i] : 1;
    axes[static_cast<std::size_t>(to.rank() - i)] = {to[-i], length == 1 ? 0 : stride};
    stride *= length;
  }
  return layout == Layout::plain ? axes : Axes{axes[0], axes[2], axes[3], axes[1]};
}

std::unique_ptr<CpuKernel> make_chain(const ChainSpec& spec) { return std::make_unique<ChainKernel>(spec); }

}  // namespace lockstep
