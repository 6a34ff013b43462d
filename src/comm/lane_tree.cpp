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

/// The cheapest cut in which no share leaves its fair bounds [low, high] by more than `slack`; empty if there is none.
std::vector<LaneRange> cheapest_cut(int lanes, std::span<const LaneRange> bounds, int slack) {
  const auto workers = bounds.size();
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
        const CutCost here = {before.first + outside, before.second + count_subtrees({begin, begin + n}, lanes)};
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
    runs[w - 1] = {end - share[w * width + static_cast<std::size_t>(end)], end};
    end = runs[w - 1].begin;
  }
  return runs;
}

}  // namespace

std::vector<LaneRange> deal_lanes(int lanes, std::span<const int> threads_per_worker) {
  const int workers = static_cast<int>(threads_per_worker.size());
  if (workers < 1 || std::ranges::any_of(threads_per_worker, [](int threads) { return threads < 1; }))
    throw UsageError("every worker needs at least one thread");
  if (workers > lanes)
    throw UsageError(fmt::format("{} workers cannot share {} lanes: each needs at least one. Start at most {} workers, or give --lanes {}",
                                 workers, lanes, lanes, std::bit_ceil(static_cast<unsigned>(workers))));
  const auto all = std::accumulate(threads_per_worker.begin(), threads_per_worker.end(), std::int64_t{0});
  std::vector<LaneRange> bounds;
  for (const int threads : threads_per_worker) {
    const std::int64_t product = static_cast<std::int64_t>(lanes) * threads;
    bounds.push_back({static_cast<int>(product / all), static_cast<int>((product + all - 1) / all)});
  }
  for (int slack = 0;; slack = 2 * slack + 1) {
    if (auto runs = cheapest_cut(lanes, bounds, slack); !runs.empty())
      return runs;
  }
}

std::vector<LaneRange> maximal_subtrees(LaneRange run, int lanes) {
  std::vector<LaneRange> found;
  find_subtrees({0, lanes}, run, [&](LaneRange node) { found.push_back(node); });
  return found;
}

/// Keeps the values that are still needed on a stack, and moves them out of the in-flight registers when a round ends.
struct FoldPlan::Builder {
  struct Held {
    int reg = -1;  ///< −1: nothing, all lanes below are empty
    int op = -1;   ///< the op of this round that made it, −1 if none did
  };
  struct Free {
    int reg;
    int since;  ///< usable from this op of the round on
  };

  FoldPlan& plan;
  std::vector<Held> held = {};
  std::vector<Free> free = {};
  int round_begin = 0;

  int take_slot(int op) {
    const auto fits = std::ranges::find_if(free, [&](const Free& f) { return f.since <= op; });
    if (fits == free.end())
      return plan.in_flight_ + plan.slots_++;
    const int reg = fits->reg;
    free.erase(fits);
    return reg;
  }

  /// What survives the round must lie in a slot: the op that made it writes there instead, or a lane's copy is copied.
  void end_round() {
    const int now = static_cast<int>(plan.ops_.size());
    for (Held& value : held) {
      if (value.reg >= 0 && value.reg < plan.in_flight_) {
        const int slot = take_slot(value.op >= 0 ? value.op : now);
        if (value.op >= 0)
          plan.ops_[static_cast<std::size_t>(value.op)].dst = slot;
        else
          plan.ops_.push_back({slot, value.reg, -1});
        value.reg = slot;
      }
      value.op = -1;
    }
    for (Free& f : free)
      f.since = 0;
    plan.round_ends_.push_back(plan.ops_.size());
    round_begin += plan.in_flight_;
  }

  void lane(int lane, int samples) {
    while (lane - plan.run_.begin >= round_begin + plan.in_flight_)
      end_round();
    held.push_back({samples > 0 ? lane - plan.run_.begin - round_begin : -1, -1});
  }

  void add() {
    const Held right = held.back();
    held.pop_back();
    Held& left = held.back();
    if (right.reg < 0)
      return;
    if (left.reg < 0) {
      left = right;
      return;
    }
    const int op = static_cast<int>(plan.ops_.size());
    plan.ops_.push_back({left.reg, left.reg, right.reg});
    if (right.reg >= plan.in_flight_)
      free.push_back({right.reg, op + 1});
    left.op = op;
  }
};

FoldPlan::FoldPlan(LaneRange run, int in_flight, std::span<const int> samples, ReduceMode mode) : run_(run), in_flight_(in_flight) {
  if (run.begin < 0 || run.size() < 1 || run.end > static_cast<int>(samples.size()) || in_flight < 1)
    throw UsageError(
        fmt::format("lanes {}..{} of {} cannot be folded with {} in flight", run.begin, run.end - 1, samples.size(), in_flight));
  Builder build{*this};
  const auto leaf = [&](LaneRange node) {
    if (node.size() > 1)
      return false;
    build.lane(node.begin, samples[static_cast<std::size_t>(node.begin)]);
    return true;
  };
  const auto add = [&] { build.add(); };
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
  round_ends_.push_back(ops_.size());
  for (const Builder::Held& value : build.held)
    partials_.push_back(value.reg);
}

LaneRange FoldPlan::lanes(int round) const {
  const int begin = run_.begin + round * in_flight_;
  return {begin, std::min(run_.end, begin + in_flight_)};
}

std::span<const SumOp> FoldPlan::ops(int round) const {
  const auto r = static_cast<std::size_t>(round);
  const std::size_t begin = r == 0 ? 0 : round_ends_[r - 1];
  return {ops_.data() + begin, round_ends_[r] - begin};
}

RestPlan::RestPlan(std::span<const LaneRange> runs, std::span<const int> samples, ReduceMode mode) {
  const int lanes = static_cast<int>(samples.size());
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
    int worker = 0;
    int partial = 0;
    const auto leaf = [&](LaneRange node) {
      while (runs[static_cast<std::size_t>(worker)].end <= node.begin) {
        ++worker;
        partial = 0;
      }
      if (node.end > runs[static_cast<std::size_t>(worker)].end)
        return false;
      push(node, {worker, partial++});
      return true;
    };
    postfix({0, lanes}, leaf, add);
  } else {
    for (std::size_t w = 0; w < runs.size(); ++w) {
      push(runs[w], {static_cast<int>(w), 0});
      if (w > 0)
        add();
    }
  }

  const auto number = [&](int reg) { return reg < -1 ? static_cast<int>(sources_.size()) - 2 - reg : reg; };
  for (SumOp& op : ops_)
    op = {number(op.dst), number(op.a), number(op.b)};
  result_ = number(held.back());
  if (result_ < 0)
    throw UsageError("a step needs at least one sample in some lane");
}

std::vector<int> partials_per_worker(std::span<const LaneRange> runs, ReduceMode mode) {
  std::vector<int> counts;
  for (const LaneRange& run : runs)
    counts.push_back(mode == ReduceMode::exact ? count_subtrees(run, runs.back().end) : 1);
  return counts;
}

namespace {

/// Column `column` of the sum below `node`; nothing is added where lanes are empty.
double sum_column(std::span<const double> per_lane, std::span<const int> samples, LaneRange node, std::size_t width, std::size_t column) {
  if (node.size() == 1)
    return per_lane[static_cast<std::size_t>(node.begin) * width + column];
  const LaneRange left = {node.begin, split(node)};
  const LaneRange right = {left.end, node.end};
  const auto full = [&](LaneRange lanes) {
    return std::any_of(samples.begin() + lanes.begin, samples.begin() + lanes.end, [](int n) { return n > 0; });
  };
  if (!full(right))
    return sum_column(per_lane, samples, left, width, column);
  if (!full(left))
    return sum_column(per_lane, samples, right, width, column);
  return sum_column(per_lane, samples, left, width, column) + sum_column(per_lane, samples, right, width, column);
}

}  // namespace

void sum_lanes(std::span<const double> per_lane, std::span<const int> samples, std::span<double> sum) {
  const bool any = std::ranges::any_of(samples, [](int n) { return n > 0; });
  for (std::size_t column = 0; column < sum.size(); ++column)
    sum[column] = any ? sum_column(per_lane, samples, {0, static_cast<int>(samples.size())}, sum.size(), column) : 0.0;
}

}  // namespace lockstep
