#include "data/order.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

/// Eight rounds: twice what a strong pseudo-random permutation needs, since the halves are short.
constexpr std::uint32_t kRounds = 8;

constexpr std::array<std::string_view, 3> kOrderNames{"chunk", "sample", "sequential"};

std::uint32_t low32(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
std::uint32_t high32(std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); }

/// The items sorted by a random key each, which their places give: a keyed permutation for short lists.
std::vector<std::int64_t> shuffled(const std::vector<std::int64_t>& items, PhiloxKey key, std::uint64_t tweak) {
  std::vector<std::pair<std::uint64_t, std::size_t>> keyed;
  for (std::uint64_t i = 0; i < items.size(); ++i) {
    const PhiloxCounter r = philox({low32(i), high32(i), low32(tweak), high32(tweak)}, key);
    keyed.emplace_back(std::uint64_t{r[1]} << 32 | r[0], i);
  }
  std::ranges::sort(keyed);
  std::vector<std::int64_t> order(items.size());
  std::ranges::transform(keyed, order.begin(), [&](const auto& each) { return items[each.second]; });
  return order;
}

}  // namespace

StepTable::StepTable(std::int64_t samples, std::int64_t batch, int lanes, int min_lane)
    : samples_(samples), batch_(batch), lanes_(lanes), used_lanes_(lanes) {
  if (samples < 1 || batch < 1 || lanes < 1 || min_lane < 1 || min_lane > 2) {
    throw UsageError(fmt::format("an epoch of {} samples cannot be cut into batches of {} over {} lanes.", samples, batch, lanes));
  }
  std::int64_t last = samples % batch;
  whole_ = samples / batch + 1;  // boundaries 0, B, 2B … up to n
  tail_ = last > 0 ? std::vector<std::int64_t>{samples} : std::vector<std::int64_t>{};
  if (min_lane == 1) {
    return;
  }
  used_lanes_ = static_cast<int>(std::min<std::int64_t>(lanes, std::max<std::int64_t>(1, samples / 2)));
  const std::int64_t least = 2 * std::int64_t{used_lanes_};
  if (samples < 2 || (batch < least && batch < samples)) {
    throw UsageError(
        fmt::format("batch norm needs at least 2 samples in each lane, but batches of {} of {} samples are spread over {} lanes.\n"
                    "  Give --lanes {} (at most), or a larger --batch.",
                    batch, samples, used_lanes_, std::max<std::int64_t>(1, batch / 2)));
  }
  if (last > 0 && last < least) {
    // Then a whole batch stands before it: with none, samples ≥ 2·used_lanes_ would be the remainder.
    --whole_;
    tail_ = {samples};
    if (batch + last >= 2 * least) {
      tail_.insert(tail_.begin(), (whole_ - 1) * batch + (batch + last) / 2);
    }
  }
}

std::int64_t StepTable::lane_samples(std::int64_t step, int lane) const {
  return lane < used_lanes_ ? (boundary(step + 1) + lane) / used_lanes_ - (boundary(step) + lane) / used_lanes_ : 0;
}

std::vector<int> StepTable::lane_samples(std::int64_t step) const {
  std::vector<int> samples;
  for (int lane = 0; lane < lanes_; ++lane) {
    samples.push_back(static_cast<int>(lane_samples(step, lane)));
  }
  return samples;
}

std::int64_t StepTable::lane_begin(std::int64_t step, int lane) const {
  return lane < used_lanes_ ? (boundary(step) + lane) / used_lanes_ : 0;
}

std::int64_t StepTable::first_row(std::int64_t step, int lane) const {
  std::int64_t row = 0;
  for (int earlier = 0; earlier < lane; ++earlier) {
    row += lane_samples(step, earlier);
  }
  return row;
}

std::int64_t StepTable::stream_length(int lane) const { return lane < used_lanes_ ? (samples_ + lane) / used_lanes_ : 0; }

std::int64_t StepTable::max_lane_samples() const {
  // Only the last two steps may be longer than those before.
  std::int64_t longest = std::min(batch_, samples_);
  for (std::int64_t step = std::max<std::int64_t>(0, steps() - 2); step < steps(); ++step) {
    longest = std::max(longest, samples(step));
  }
  return (longest + used_lanes_ - 1) / used_lanes_;
}

std::uint64_t permuted(std::uint64_t i, std::uint64_t n, PhiloxKey key, std::uint64_t tweak) {
  const int bits = std::max(2, static_cast<int>(std::bit_width(n - 1)));
  const int low_bits = bits / 2;
  const std::uint64_t low_mask = (std::uint64_t{1} << low_bits) - 1;
  const std::uint64_t high_mask = (std::uint64_t{1} << (bits - low_bits)) - 1;
  do {
    std::uint64_t low = i & low_mask;
    std::uint64_t high = i >> low_bits;
    for (std::uint32_t round = 0; round < kRounds; round += 2) {
      low ^= philox({low32(high), round, low32(tweak), high32(tweak)}, key)[0] & low_mask;
      high ^= philox({low32(low), round + 1, low32(tweak), high32(tweak)}, key)[0] & high_mask;
    }
    i = high << low_bits | low;
  } while (i >= n);
  return i;
}

OrderKind order_from(std::string_view name) {
  const auto found = std::ranges::find(kOrderNames, name);
  if (found == kOrderNames.end()) {
    throw UsageError(fmt::format("there is no order '{}'.\n  Choose chunk, sample or sequential.", name));
  }
  return static_cast<OrderKind>(found - kOrderNames.begin());
}

std::string_view name_of(OrderKind kind) { return kOrderNames[static_cast<std::size_t>(kind)]; }

OrderKind default_order(std::size_t dataset_bytes) {
  return dataset_bytes <= (std::size_t{256} << 20) ? OrderKind::sample : OrderKind::chunk;
}

SampleOrder::SampleOrder(OrderKind kind, std::uint64_t seed, std::uint64_t epoch, const std::vector<std::int64_t>& chunk_rows,
                         const StepTable& table)
    : kind_(kind), seed_(seed), epoch_(epoch), samples_(table.samples()), lanes_(table.lanes()) {
  if (std::accumulate(chunk_rows.begin(), chunk_rows.end(), std::int64_t{0}) != samples_) {
    throw UsageError(fmt::format("the chunks do not hold the {} samples of the epoch.", samples_));
  }
  chunks_.resize(chunk_rows.size());
  std::iota(chunks_.begin(), chunks_.end(), std::int64_t{0});
  if (kind == OrderKind::chunk) {
    chunks_ = shuffled(chunks_, philox_key(seed, "order", "chunks"), epoch);
  }
  std::int64_t end = 0;
  for (const std::int64_t chunk : chunks_) {
    end += chunk_rows[static_cast<std::size_t>(chunk)];
    chunk_ends_.push_back(end);
  }
  window_rows_ = 4 * *std::ranges::max_element(chunk_rows);
  lane_begins_.push_back(0);
  for (int lane = 0; lane < lanes_; ++lane) {
    lane_begins_.push_back(lane_begins_.back() + table.stream_length(lane));
  }
}

SamplePlace SampleOrder::place(std::int64_t line) const {
  const auto found = std::ranges::upper_bound(chunk_ends_, line) - chunk_ends_.begin();
  return {chunks_[static_cast<std::size_t>(found)], line - (found == 0 ? 0 : chunk_ends_[static_cast<std::size_t>(found - 1)])};
}

SampleOrder::Window SampleOrder::window_at(int lane, std::int64_t position) const {
  const std::int64_t stream_begin = lane_begins_[static_cast<std::size_t>(lane)];
  const std::int64_t stream_end = lane_begins_[static_cast<std::size_t>(lane) + 1];
  const std::int64_t stagger = window_rows_ * lane / lanes_;  // the lane's first window is shorter by this much
  const std::int64_t window = (position + stagger) / window_rows_;
  const std::int64_t begin = std::max<std::int64_t>(0, window * window_rows_ - stagger);
  const std::int64_t end = std::min(stream_end - stream_begin, (window + 1) * window_rows_ - stagger);
  std::vector<std::int64_t> line(static_cast<std::size_t>(end - begin));
  std::iota(line.begin(), line.end(), stream_begin + begin);
  if (kind_ == OrderKind::sample) {
    const PhiloxKey key = philox_key(seed_, "order", "samples");
    for (std::int64_t& i : line) {
      i = static_cast<std::int64_t>(permuted(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(samples_), key, epoch_));
    }
  } else if (kind_ == OrderKind::chunk) {
    line = shuffled(line, philox_key(seed_, "order", fmt::format("window {} of lane {}", window, lane)), epoch_);
  }
  Window result{begin, std::vector<SamplePlace>(line.size())};
  std::ranges::transform(line, result.places.begin(), [this](std::int64_t i) { return place(i); });
  return result;
}

}  // namespace lockstep
