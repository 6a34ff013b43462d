#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "comm/exchange.hpp"
#include "data/reader.hpp"
#include "lockstep/nn.hpp"
#include "plan/compile.hpp"
#include "runtime/cpu_executor.hpp"
#include "runtime/lane_team.hpp"
#include "train/optimizer.hpp"

namespace lockstep {

/// What a job looks like, the same on every worker.
struct JobShape {
  int lanes = 1;
  int threads = 1;  ///< of this worker
  std::vector<int> threads_per_worker{1};
  ReduceMode reduce = ReduceMode::exact;
};

/// The runtime scalars that a graph may ask for.
inline constexpr std::string_view kInverseBatch = "inverse_batch";  ///< 1 / samples in the whole batch
inline constexpr std::string_view kLaneShare = "lane_share";        ///< samples in this lane / samples in the whole batch

/// Sums over all lanes of all workers, along the tree.
struct StepSums {
  double loss = 0;     ///< Σ of the samples' losses
  double correct = 0;  ///< samples classified correctly; 0 if the model does not say
  std::int64_t samples = 0;
  bool asked_to_stop = false;  ///< some worker was asked to write a checkpoint and end
};

/// Seconds that this worker has spent since the start.
struct StepTimes {
  double compute = 0;   ///< lanes: forward, backward, folding
  double exchange = 0;  ///< everything after the lanes: statistics, sums, update, all-gather
};

/// The step: runs the lanes of this worker, sums their gradients along the tree, updates the parameters. Holds the worker's copy of
/// the parameters, the optimizer state of its own pieces, and the plans of every program and lane size. After the first full step it
/// allocates nothing in a step.
class StepEngine {
 public:
  /// `lane_size`: samples of a full lane. Plans and kernels for it are made here, those for other sizes when first needed.
  StepEngine(Communicator& communicator, const Model& model, const JobShape& job, std::int64_t lane_size, const Sgd& sgd);
  ~StepEngine();

  [[nodiscard]] const FlatLayout& layout() const { return layout_; }
  [[nodiscard]] std::span<float> parameters() { return parameters_.span(); }
  [[nodiscard]] LaneRange lanes() const { return runs_[static_cast<std::size_t>(communicator_.rank())]; }
  [[nodiscard]] const StepTimes& times() const { return times_; }
  [[nodiscard]] std::int64_t bytes_sent() const { return exchange_->bytes_sent(); }

  /// One training step. `lane_samples[v]` of all lanes of the job; `batch` holds this worker's lanes in order, its field names are
  /// `fields`. `stop`: this worker asks all to stop. Every worker must call it. Throws Diverged, on every worker and with the
  /// parameters as they were, when the loss is not finite, naming the first op that made it so.
  StepSums train(const StepBatch& batch, std::span<const Field> fields, std::span<const int> lane_samples, const StepContext& context,
                 double rate, bool stop);

  /// Sums over one step's samples with the evaluation program; nothing is exchanged.
  /// Adds [loss, correct] of each of this worker's lanes to `per_lane` (lanes().size() × 2).
  void evaluate(const StepBatch& batch, std::span<const Field> fields, const StepContext& context, std::span<double> per_lane);
  /// Adds up `per_lane` of all workers along the tree. Every worker must call it.
  [[nodiscard]] StepSums sum_evaluation(std::span<const double> per_lane, std::int64_t samples);

  /// The whole job's momentum as one flat array on every worker. Every worker must call it.
  [[nodiscard]] std::vector<float> gather_momentum();
  /// Keeps of it what this worker owns.
  void set_momentum(std::span<const float> flat);

  /// SHA-256 over the results of one full lane's step on keyed numbers: machines that would not give the same bits differ here.
  [[nodiscard]] std::string fingerprint(std::span<const Field> fields);

 private:
  struct Cell;  ///< how far a bucket is in a round
  struct StepPlans {
    FoldPlan fold;
    RestPlan rest;
  };
  struct LaneThread {
    AlignedBytes arena;
    AlignedFloats gradients;
    std::map<std::pair<std::string, std::int64_t>, std::unique_ptr<CpuExecutor>> executors;
    std::vector<const std::byte*> inputs;
    std::vector<float> scalars;
    std::vector<float*> registers;  ///< where a fold works just now
  };
  struct Running;  ///< the step under way

  const Plan& plan(const std::string& program, std::int64_t lane_size);
  CpuExecutor& executor(int thread, const std::string& program, std::int64_t lane_size);
  StepPlans& step_plans(std::span<const int> lane_samples);
  void prepare(const std::string& program, const StepBatch& batch);
  void bind(LaneThread& thread, const Plan& plan, const LaneBatch& lane, std::span<const Field> fields, std::int64_t batch_samples);
  void run_lanes(int thread);
  void run_lane(int thread, int round, const LaneBatch& lane);
  bool fold_something(int thread, int round);
  [[nodiscard]] bool round_folded(int round) const;
  void move_messages();
  void fold_part(int thread, int bucket, int part, int parts, std::span<const SumOp> ops);
  void bucket_complete(int bucket);
  void update_pieces(int thread);
  StepSums exchange_sums(std::span<const int> lane_samples, bool stop);
  [[noreturn]] void diverge(const StepBatch& batch, std::span<const Field> fields, const StepContext& context);
  [[nodiscard]] std::string first_non_finite(const LaneBatch& lane, std::span<const Field> fields, const StepContext& context,
                                             std::int64_t batch_samples);

  Communicator& communicator_;
  const Model& model_;
  JobShape job_;
  std::int64_t lane_size_;
  Sgd sgd_;
  std::vector<LaneRange> runs_;
  FlatLayout layout_;
  std::map<std::pair<std::string, std::int64_t>, std::unique_ptr<Plan>> plans_;
  std::vector<std::pair<std::vector<bool>, std::unique_ptr<StepPlans>>> step_plans_;  ///< by which lanes have samples
  AlignedFloats parameters_;
  std::vector<AlignedFloats> slots_;
  std::vector<float*> registers_;
  std::vector<std::vector<AlignedFloats>> momentum_;  ///< [bucket][thread], the owner's atoms one after the other
  std::vector<LaneThread> lane_threads_;
  std::vector<double> lane_sums_;  ///< [lane of this worker][loss, correct]
  std::vector<double> gather_mine_, gather_all_, sums_in_order_;
  std::unique_ptr<OrderedExchange> exchange_;
  std::unique_ptr<Running> running_;
  std::mutex exchange_mutex_;
  StepTimes times_;
  bool has_correct_ = false;
  LaneTeam team_;
};

}  // namespace lockstep
