#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/aligned.hpp"
#include "runtime/plan.hpp"

namespace lockstep {

/// What a lane's run reads and writes outside its arena.
struct LaneBinding {
  std::span<const std::byte* const> inputs;  ///< in the order of Plan::inputs, aligned to 64 bytes
  std::span<const float> scalars;            ///< in the order of Plan::scalars
  const float* parameters = nullptr;         ///< flat
  float* gradients = nullptr;                ///< flat, of this lane; parameter gradients are written, not added to
};

/// Runs a plan on the thread that calls it. One object per thread and plan: its kernels keep handles of their own. The arena is the
/// thread's, shared by all its plans. After construction it allocates nothing.
class CpuExecutor {
 public:
  /// Enlarges `arena` when this plan needs more; both must outlive the executor.
  CpuExecutor(const Plan& plan, AlignedBytes& arena);

  /// Runs every step; `on_buckets(n)` is called when the first n buckets of the gradient are complete.
  template <class OnBuckets>
  void run(const LaneBinding& binding, const StepContext& context, OnBuckets&& on_buckets) {
    for (std::size_t i = 0; i < calls_.size(); ++i) {
      run_step(i, binding, context);
      if (calls_[i].buckets_done > 0) {
        on_buckets(calls_[i].buckets_done);
      }
    }
  }
  void run(const LaneBinding& binding, const StepContext& context) {
    run(binding, context, [](int) {});
  }

  /// The same kernels with a look at every result in between: the label of the first step whose result holds a NaN or an infinity.
  [[nodiscard]] std::optional<std::string> find_non_finite(const LaneBinding& binding, const StepContext& context);

  /// Seconds of each step, the median of `repeats` runs, for profiles.
  [[nodiscard]] std::vector<double> time_steps(const LaneBinding& binding, const StepContext& context, int repeats);

  /// A declared output after a run. Throws UsageError when there is none of that name.
  [[nodiscard]] const float* output(std::string_view name) const;
  [[nodiscard]] const Plan& plan() const { return *plan_; }

 private:
  struct Call {
    std::unique_ptr<CpuKernel> kernel;
    const PlanStep* step;
    int buckets_done;
  };
  void run_step(std::size_t i, const LaneBinding& binding, const StepContext& context);
  [[nodiscard]] const std::byte* resolve(const Place& place, const LaneBinding& binding) const;

  const Plan* plan_;
  AlignedBytes* arena_;
  std::size_t scratch_at_ = 0;
  std::vector<Call> calls_;
  std::vector<const std::byte*> in_;
  std::vector<std::byte*> out_;
};

}  // namespace lockstep
