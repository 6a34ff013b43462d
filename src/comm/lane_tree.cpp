#include "comm/lane_tree.hpp"

#include <fmt/format.h>

#include <bit>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

#include "lockstep/error.hpp"

namespace lockstep {

namespace {

int split(LaneRange node) { return node.begin + static_cast<int>(std::bit_floor(static_cast<unsigned>(node.size() - 1))); }

/// Visits the tree below `node` children first. leaf(node) says whether it has taken the node as a whole; else, after both children, add().
template <class Leaf, class Add>
void postfix(LaneRange node, const Leaf& leaf, const Add& add) {
  if (leaf(node))
    return;
  const int middle = split(node);
  postfix({node.begin, middle}, leaf, add);
  postfix({middle, node.end}, leaf, add);
  add();
}

/// Calls found(subtree) for the maximal subtrees of `run` below `node`, left to right.
template <class Found>
void find_subtrees(LaneRange node, LaneRange run, const Found& found) {
  if (node.end <= run.begin || run.end <= node.begin)
    return;
  if (run.begin <= node.begin && node.end <= run.end)
    return found(node);
  const int middle = split(node);
  find_subtrees({node.begin, middle}, run, found);
  find_subtrees({middle, node.end}, run, found);
}

int count_subtrees(LaneRange run, int lanes) {
  int count = 0;
  find_subtrees({0, lanes}, run, [&](LaneRange) { ++count; });
  return count;
}

/// What a cut costs: first how far shares leave their fair bounds, then the number of subtrees.
using CutCost = std::pair<std::int64_t, int>;
constexpr CutCost kImpossible = {std::numeric_limits<std::int64_t>::max(), 0};

/// The cheapest cut of `run` in which no share leaves its fair bounds [low, high] by more than `slack`; empty if there is none.
std::vector<LaneRange> cheapest_cut(LaneRange run, int all_lanes, std::span<const LaneRange> bounds, int slack) {
  const auto workers = bounds.size();
  const int lanes = run.size();
  const auto width = static_cast<std::size_t>(lanes) + 1;
  // cost[w·width + end]: the best for workers 0 … w−1 on lanes 0 … end−1; share: of worker w−1 in it.
  std::vector<CutCost> cost((workers + 1) * width, kImpossible);
  std::vector<int> share(cost.size(), 0);
  cost[0] = {0, 0};
  for (std::size_t w = 0; w < workers; ++w) {
    const int high = std::min(lanes, bounds[w].end + slack);
    for (int begin = 0; begin < lanes; ++begin) {
      const CutCost& before = cost[w * width + static_cast<std::size_t>(begin)];
      if (before == kImpossible)
        continue;
      for (int n = std::min(high, lanes - begin); n >= std::max(1, bounds[w].begin - slack); --n) {
        const int outside = std::max({0, bounds[w].begin - n, n - bounds[w].end});
        const CutCost here = {before.first + outside,
                              before.second + count_subtrees({run.begin + begin, run.begin + begin + n}, all_lanes)};
        const std::size_t at = (w + 1) * width + static_cast<std::size_t>(begin + n);
        if (here < cost[at]) {
          cost[at] = here;
          share[at] = n;
        }
      }
    }
  }
  if (cost.back() == kImpossible)
    return {};
  std::vector<LaneRange> runs(workers);
  int end = lanes;
  for (std::size_t w = workers; w > 0; --w) {
    const int begin = end - share[w * width + static_cast<std::size_t>(end)];
    runs[w - 1] = {run.begin + begin, run.begin + end};
    end = begin;
  }
  return runs;
}

/// Shares in proportion to `threads`, each at least one lane.
std::vector<LaneRange> deal(LaneRange run, int all_lanes, std::span<const int> threads) {
  const auto all = std::accumulate(threads.begin(), threads.end(), std::int64_t{0});
  std::vector<LaneRange> bounds;
  for (const int t : threads) {
    const std::int64_t product = static_cast<std::int64_t>(run.size()) * t;
    bounds.push_back({static_cast<int>(product / all), static_cast<int>((product + all - 1) / all)});
  }
  for (int slack = 0;; slack = 2 * slack + 1) {
    if (auto runs = cheapest_cut(run, all_lanes, bounds, slack); !runs.empty())
      return runs;
  }
}

}  // namespace

std::vector<LaneRange> deal_lanes(int lanes, std::span<const int> threads_per_worker) {
  const int workers = static_cast<int>(threads_per_worker.size());
  if (workers < 1 || std::ranges::any_of(threads_per_worker, [](int threads) { return threads < 1; }))
    throw UsageError("every worker needs at least one thread");
  if (workers > lanes)
    throw UsageError(fmt::format("{} workers cannot share {} lanes: each needs at least one. Start at most {} workers, or give --lanes {}",
                                 workers, lanes, lanes, std::bit_ceil(static_cast<unsigned>(workers))));
  return deal({0, lanes}, lanes, threads_per_worker);
}

std::vector<LaneRange> deal_run(LaneRange run, int lanes, int threads) {
  const std::vector<int> busy(static_cast<std::size_t>(std::min(threads, run.size())), 1);
  std::vector<LaneRange> runs = deal(run, lanes, busy);
  runs.resize(static_cast<std::size_t>(threads), {run.end, run.end});
  return runs;
}

std::vector<LaneRange> maximal_subtrees(LaneRange run, int lanes) {
  std::vector<LaneRange> found;
  find_subtrees({0, lanes}, run, [&](LaneRange node) { found.push_back(node); });
  return found;
}

FoldPlan::FoldPlan(LaneRange run, std::span<const int> samples, ReduceMode mode) : run_(run) {
  std::vector<int> held;  // buffers on the stack, −1: nothing, all lanes below are empty
  std::vector<bool> taken;
  Lane* last = nullptr;  // the last that is not empty: sums are due as soon as it is there
  const auto leaf = [&](LaneRange node) {
    if (node.size() > 1)
      return false;
    Lane& lane = lanes_.emplace_back(Lane{-1, ops_.size(), ops_.size()});
    if (samples[static_cast<std::size_t>(node.begin)] > 0) {
      lane.target = static_cast<int>(std::find(taken.begin(), taken.end(), false) - taken.begin());
      taken.resize(std::max(taken.size(), static_cast<std::size_t>(lane.target) + 1));
      taken[static_cast<std::size_t>(lane.target)] = true;
      last = &lane;
    }
    held.push_back(lane.target);
    return true;
  };
  const auto add = [&] {
    const int right = held.back();
    held.pop_back();
    int& left = held.back();
    if (left >= 0 && right >= 0) {
      ops_.push_back({left, left, right});
      last->ops_end = ops_.size();
      taken[static_cast<std::size_t>(right)] = false;
    } else {
      left = std::max(left, right);
    }
  };
  lanes_.reserve(static_cast<std::size_t>(run.size()));
  if (mode == ReduceMode::exact) {
    for (const LaneRange& subtree : maximal_subtrees(run, static_cast<int>(samples.size())))
      postfix(subtree, leaf, add);
  } else {
    for (int lane = run.begin; lane < run.end; ++lane) {
      leaf({lane, lane + 1});
      if (lane > run.begin)
        add();
    }
  }
  buffers_ = static_cast<int>(taken.size());
  partials_ = std::move(held);
}

std::span<const SumOp> FoldPlan::ops(int lane) const {
  const Lane& l = lanes_[static_cast<std::size_t>(lane - run_.begin)];
  return {ops_.data() + l.ops_begin, l.ops_end - l.ops_begin};
}

RestPlan::RestPlan(std::span<const LaneRange> runs, std::span<const int> samples, ReduceMode mode)
    : RestPlan(runs, {0, static_cast<int>(samples.size())}, samples, mode) {}

RestPlan::RestPlan(std::span<const LaneRange> runs, LaneRange whole, std::span<const int> samples, ReduceMode mode) {
  if (std::ranges::none_of(samples, [](int n) { return n > 0; }))
    throw UsageError("a step needs at least one sample in some lane");
  const auto empty = [&](LaneRange node) {
    return std::all_of(samples.begin() + node.begin, samples.begin() + node.end, [](int n) { return n == 0; });
  };
  std::vector<int> held;  // registers, −1: empty
  std::vector<int> free;
  const auto push = [&](LaneRange node, Source source) {
    held.push_back(empty(node) ? -1 : static_cast<int>(sources_.size()));
    if (held.back() >= 0)
      sources_.push_back(source);
  };
  // Registers are numbered in two spaces while the number of sources is not known: scratch register i is −2 − i.
  const auto add = [&] {
    const int right = held.back();
    held.pop_back();
    int& left = held.back();
    if (left == -1 || right == -1) {
      left = left == -1 ? right : left;
      return;
    }
    int dst = left < -1 ? left : right;
    if (dst >= 0) {
      if (free.empty())
        free.push_back(-2 - scratch_++);
      dst = free.back();
      free.pop_back();
    } else if (dst == left && right < -1) {
      free.push_back(right);
    }
    ops_.push_back({dst, left, right});
    left = dst;
  };

  if (mode == ReduceMode::exact) {
    int run = 0;
    int partial = 0;
    const auto leaf = [&](LaneRange node) {
      while (runs[static_cast<std::size_t>(run)].end <= node.begin) {
        ++run;
        partial = 0;
      }
      if (node.end > runs[static_cast<std::size_t>(run)].end)
        return false;
      push(node, {run, partial++});
      return true;
    };
    for (const LaneRange& subtree : maximal_subtrees(whole, static_cast<int>(samples.size())))
      postfix(subtree, leaf, add);
  } else {
    for (std::size_t r = 0; r < runs.size(); ++r) {
      push(runs[r], {static_cast<int>(r), 0});
      if (r > 0)
        add();
    }
  }

  const auto number = [&](int reg) { return reg < -1 ? static_cast<int>(sources_.size()) - 2 - reg : reg; };
  for (SumOp& op : ops_)
    op = {number(op.dst), number(op.a), number(op.b)};
  for (const int reg : held)
    results_.push_back(number(reg));
}

std::vector<int> partials_per_run(std::span<const LaneRange> runs, ReduceMode mode) {
  std::vector<int> counts;
  for (const LaneRange& run : runs)
    counts.push_back(mode == ReduceMode::exact || run.size() == 0 ? count_subtrees(run, runs.back().end) : 1);
  return counts;
}

namespace {

double sum_column(std::span<const double> per_lane, LaneRange node, std::size_t width, std::size_t column) {
  if (node.size() == 1)
    return per_lane[static_cast<std::size_t>(node.begin) * width + column];
  const int middle = split(node);
  return sum_column(per_lane, {node.begin, middle}, width, column) + sum_column(per_lane, {middle, node.end}, width, column);
}

}  // namespace

void sum_lanes(std::span<const double> per_lane, std::span<double> sum) {
  const auto lanes = static_cast<int>(per_lane.size() / sum.size());
  for (std::size_t column = 0; column < sum.size(); ++column)
    sum[column] = sum_column(per_lane, {0, lanes}, sum.size(), column);
}

}  // namespace lockstep
