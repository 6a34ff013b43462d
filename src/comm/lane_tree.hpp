#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

namespace lockstep {

/// Lanes begin … end−1.
struct LaneRange {
  int begin = 0;
  int end = 0;

  [[nodiscard]] int size() const { return end - begin; }
  bool operator==(const LaneRange&) const = default;
};

/// How gradients are added up. exact: along the tree over lanes, the same bits for every number of workers. arrival: every thread
/// adds its lanes one after the other and owners add the threads' or workers' sums in rank order: the control, whose bits depend on both.
enum class ReduceMode { exact, arrival };

/// One instruction of a sum program over registers (equally long arrays): dst = a + b. dst may be a or b.
struct SumOp {
  int dst = 0;
  int a = 0;
  int b = 0;
  bool operator==(const SumOp&) const = default;
};

/// Cuts lanes 0 … lanes−1 into one contiguous run a worker, in rank order; every worker gets at least one lane. Shares follow the numbers
/// of threads: each is its fair share lanes·threads/Σthreads rounded up or down (so with equal threads none exceeds ceil(lanes/P)), moved
/// further only as far as needed to leave a lane for everyone. Among such cuts it takes one whose runs split into the fewest maximal
/// subtrees. Throws UsageError if there are more workers than lanes, none at all, or one without a thread.
[[nodiscard]] std::vector<LaneRange> deal_lanes(int lanes, std::span<const int> threads_per_worker);

/// Cuts a worker's run in the same way into one contiguous run a thread; where there are fewer lanes than threads the last get none.
[[nodiscard]] std::vector<LaneRange> deal_run(LaneRange run, int lanes, int threads);

/// The largest nodes of the tree over `lanes` lanes that lie inside `run`, left to right; together they are the run.
/// The tree splits n lanes at the largest power of two below n, again and again: n = 7 is ((0+1)+(2+3))+((4+5)+6).
[[nodiscard]] std::vector<LaneRange> maximal_subtrees(LaneRange run, int lanes);

/// How a thread folds its lanes, which finish one after the other, into the sums of the maximal subtrees of its run (with
/// ReduceMode::arrival: into one sum). A lane writes its gradient to buffer target(lane); once it is there ops(lane) run, all of them
/// additions in place. Few buffers are needed, one a level of the tree and one a subtree. A lane of no samples is skipped.
class FoldPlan {
 public:
  /// `samples[lane]` for all lanes of the job. Requires run inside [0, samples.size()); it may be empty.
  FoldPlan(LaneRange run, std::span<const int> samples, ReduceMode mode = ReduceMode::exact);

  /// −1 for a lane of no samples.
  [[nodiscard]] int target(int lane) const { return lanes_[static_cast<std::size_t>(lane - run_.begin)].target; }
  [[nodiscard]] std::span<const SumOp> ops(int lane) const;
  /// At most what the same run without empty lanes needs.
  [[nodiscard]] int buffers() const { return buffers_; }
  /// In the end: the buffer of each maximal subtree's sum in the order of maximal_subtrees(), or −1 where all its lanes are empty.
  [[nodiscard]] std::span<const int> partials() const { return partials_; }

 private:
  struct Lane {
    int target = -1;
    std::size_t ops_begin = 0, ops_end = 0;
  };

  LaneRange run_;
  int buffers_ = 0;
  std::vector<SumOp> ops_;
  std::vector<Lane> lanes_;
  std::vector<int> partials_;
};

/// How the rest of the tree is evaluated from the partials of several runs of lanes: those of a worker's threads, or of all workers.
/// Registers 0 … sources−1 hold the partials and are only read; scratch registers follow.
class RestPlan {
 public:
  /// A run and the number of one of its partials (its place in FoldPlan::partials()).
  struct Source {
    int run = 0;
    int partial = 0;
    bool operator==(const Source&) const = default;
  };

  /// `runs` in order are together lanes 0 … samples.size()−1, or the lanes of `whole`: then there is a result for each of its maximal
  /// subtrees. Throws UsageError if all lanes of the job are empty.
  RestPlan(std::span<const LaneRange> runs, std::span<const int> samples, ReduceMode mode = ReduceMode::exact);
  RestPlan(std::span<const LaneRange> runs, LaneRange whole, std::span<const int> samples, ReduceMode mode = ReduceMode::exact);

  /// Register i of the program is sources()[i], left to right in the tree, grouped by run. Empty partials are absent.
  [[nodiscard]] std::span<const Source> sources() const { return sources_; }
  [[nodiscard]] std::span<const SumOp> ops() const { return ops_; }
  /// Scratch registers, numbered from sources().size(): at most ceil(log2(sources)) for one result.
  [[nodiscard]] int scratch() const { return scratch_; }
  /// The register of each sum: a source's own when it is the only one; −1 where all lanes are empty.
  [[nodiscard]] std::span<const int> results() const { return results_; }

 private:
  std::vector<Source> sources_;
  std::vector<SumOp> ops_;
  int scratch_ = 0;
  std::vector<int> results_;
};

/// Partials that each run has when no lane is empty (their number does not grow when some are): F of every worker, m = ΣF.
/// `runs` end with the last lane of the job.
[[nodiscard]] std::vector<int> partials_per_run(std::span<const LaneRange> runs, ReduceMode mode = ReduceMode::exact);

/// Sums of doubles along the tree: per_lane [lanes, width] row-major → sum [width], where width = sum.size() and there is a lane. A lane
/// of no samples must hold zeros, which add nothing. Allocates nothing.
void sum_lanes(std::span<const double> per_lane, std::span<double> sum);

/// Runs a sum program on `count` elements of every register, in blocks that stay in the first cache. Registers must not overlap.
template <class Number>
void run_sums(std::span<const SumOp> ops, Number* const* registers, std::size_t count) {
  constexpr std::size_t kBlock = 8192 / sizeof(Number);
  const auto add_to = [](Number* __restrict to, const Number* __restrict from, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i)
      to[i] += from[i];
  };
  const auto add = [](Number* __restrict to, const Number* __restrict a, const Number* __restrict b, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i)
      to[i] = a[i] + b[i];
  };
  for (std::size_t begin = 0; begin < count; begin += kBlock) {
    const std::size_t n = std::min(kBlock, count - begin);
    for (const SumOp& op : ops) {
      Number* const to = registers[op.dst] + begin;
      if (op.dst == op.a || op.dst == op.b)
        add_to(to, registers[op.dst == op.a ? op.b : op.a] + begin, n);
      else
        add(to, registers[op.a] + begin, registers[op.b] + begin, n);
    }
  }
}

}  // namespace lockstep
