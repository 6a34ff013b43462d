#pragma once

#include "runtime/aligned.hpp"
#include "runtime/plan.hpp"

namespace lockstep {

/// What a lane's run reads and writes outside its arena.
struct LaneBinding {
  std::span<const std::byte* const> inputs = {};  ///< in the order of Plan::inputs, aligned to 64 bytes
  std::span<const float> scalars = {};            ///< in the order of Plan::scalars
  const float* parameters = nullptr;              ///< flat
  float* gradients = nullptr;                     ///< flat, of this lane; parameter gradients are written, not added to
  std::span<float* const> buckets = {};           ///< or of each bucket: the address at which the flat array would start
  std::byte* arena = nullptr;                     ///< of this lane, plan().arena_bytes; else one of the executor's own
};

/// Runs a plan on the thread that calls it. One object per thread and plan: its kernels keep handles of their own. Kernels' scratch memory
/// is the thread's, shared by all its plans. After construction it allocates nothing.
class CpuExecutor {
 public:
  /// Enlarges `scratch` when this plan needs more; both must outlive the executor.
  CpuExecutor(const Plan& plan, AlignedBytes& scratch);

  /// The number of kernel calls, and what the plan says of one.
  [[nodiscard]] std::size_t steps() const { return calls_.size(); }
  [[nodiscard]] const PlanStep& step(std::size_t i) const { return *calls_[i].step; }
  /// Requires an arena in the binding.
  void run_step(std::size_t i, const LaneBinding& binding, const StepContext& context);
  void run(const LaneBinding& binding, const StepContext& context);

  /// The same kernels with a look at every result in between: the label of the first step whose result holds a NaN or an infinity.
  [[nodiscard]] std::optional<std::string> find_non_finite(const LaneBinding& binding, const StepContext& context);

  /// A declared output after a run with this arena. Throws UsageError when there is none of that name.
  [[nodiscard]] const float* output(std::string_view name, std::byte* arena = nullptr) const;
  [[nodiscard]] const Plan& plan() const { return *plan_; }

 private:
  struct Call {
    std::unique_ptr<CpuKernel> kernel;
    const PlanStep* step;
  };
  [[nodiscard]] const std::byte* start_of(const Place& place, const LaneBinding& binding) const;
  [[nodiscard]] const std::byte* resolve(const Place& place, const LaneBinding& binding) const;

  const Plan* plan_;
  AlignedBytes* scratch_;
  AlignedBytes arena_;  ///< only where a run brings none
  std::vector<Call> calls_;
  std::vector<const std::byte*> in_;
  std::vector<std::byte*> out_;
};

}  // namespace lockstep
