#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/gradient_flow.hpp"
#include "data/reader.hpp"
#include "lockstep/nn.hpp"
#include "plan/compile.hpp"
#include "runtime/cpu_executor.hpp"
#include "runtime/lane_team.hpp"
#include "runtime/trace.hpp"
#include "train/metrics.hpp"
#include "train/optimizer.hpp"

namespace lockstep {

/// What a job looks like, the same on every worker.
struct JobShape {
  int lanes = 1;
  int threads = 1;  ///< of this worker
  std::vector<int> threads_per_worker{1};
  std::vector<int> shares{};  ///< of the lanes, by worker; empty: as their threads
  ReduceMode reduce = ReduceMode::exact;
  std::vector<int> cores;  ///< one for each thread of this worker to stay on; empty: where the system puts them
  bool share = true;       ///< memory with the other workers, where all are on one machine
  /// Bytes of results that a thread may keep of lanes at once; the others follow. The bits do not change.
  std::size_t results_at_once = std::size_t{256} << 20;
  int top_k = 5;                      ///< of the accuracy that evaluations tell beside the plain one
  std::vector<double> label_scale{};  ///< of each output of a regression: the unit in which errors are told; empty: 1
};

/// The runtime scalars that a graph may ask for.
inline constexpr std::string_view kInverseBatch = "inverse_batch";  ///< 1 / samples in the whole batch
inline constexpr std::string_view kLaneShare = "lane_share";        ///< samples in this lane / samples in the whole batch

/// Seconds that this worker's first thread has spent in training steps.
struct StepTimes {
  double compute = 0;  ///< lanes, sums and updates
  double update = 0;   ///< of that: sums over workers and updates
  double waiting = 0;  ///< for others: what of the exchange is not hidden behind computing
};

/// The step: runs the lanes of this worker, op by op over the lanes of a thread, sums their gradients along the tree and updates the
/// parameters, each piece by its owner as soon as all have finished its bucket. What is left of a step when its lanes are done goes on
/// under the next one's. Holds the optimizer state of its own pieces, and the plans of every program and lane size. After the first full
/// step it allocates nothing in a step.
class StepEngine {
 public:
  /// `lane_size`: samples of a full lane. Plans and kernels for it are made here, those for other sizes when first needed. Every worker
  /// must make its own at the same time.
  StepEngine(Communicator& communicator, const Model& model, const JobShape& job, std::int64_t lane_size, const Recipe& recipe = {});

  [[nodiscard]] const FlatLayout& layout() const { return layout_; }
  [[nodiscard]] const Updater& updater() const { return *updater_; }
  /// After every step so far. Every worker must ask first after a step; from then on any may.
  [[nodiscard]] std::span<const float> parameters();
  /// To be written by every worker, with the same numbers, before its next step.
  [[nodiscard]] std::span<float> set_parameters();
  [[nodiscard]] LaneRange lanes() const { return flow_->runs()[static_cast<std::size_t>(communicator_.rank())]; }
  /// Of all workers.
  [[nodiscard]] const std::vector<LaneRange>& runs() const { return flow_->runs(); }
  [[nodiscard]] const StepTimes& times() const { return times_; }
  /// Of the last step, over all parameters and before clipping; NaN where the recipe does not need it.
  [[nodiscard]] double gradient_norm() const;
  /// From now on steps are written to it, in which tracks of this worker's lanes and threads are; null: no more.
  void trace(Trace* trace) { trace_ = trace; }
  /// Seconds that each worker's first thread took for a lane of the step before the last one, the same numbers on every worker; 0: unknown.
  [[nodiscard]] std::span<const double> seconds_per_lane() const { return per_lane_; }
  /// From the next step on the workers have these shares of the lanes; lanes() is another. Every worker must call it, between steps.
  void deal_again(std::vector<int> shares);
  /// How gradients travel: "alone", "shared memory" or "messages", and how many bytes this worker has sent.
  [[nodiscard]] const char* exchange() const { return flow_->kind(); }
  [[nodiscard]] std::int64_t bytes_sent() const { return flow_->bytes_sent(); }

  /// One training step at the learning rate `rate`, of which parameters may have their own multiple. `lane_samples[v]` of all lanes of the
  /// job; `batch` holds this worker's lanes in order, its field names are `fields`. `wish`: this worker's. Every worker must
  /// call it. Throws Diverged, on every worker and with the parameters as they were, when the loss is not finite, naming the first op that
  /// made it so; no step can follow.
  StepSums train(const StepBatch& batch, std::span<const Field> fields, std::span<const int> lane_samples, const StepContext& context,
                 double rate, Wish wish = Wish::nothing);

  /// Sums over one step's samples with the evaluation program; nothing is exchanged.
  /// Adds [loss, correct, what metrics() counts] of each of this worker's lanes to `per_lane` (lanes().size() × evaluation_width()).
  void evaluate(const StepBatch& batch, std::span<const Field> fields, const StepContext& context, std::span<double> per_lane);
  [[nodiscard]] std::size_t evaluation_width() const { return 2 + metrics_.width(); }
  [[nodiscard]] const Metrics& metrics() const { return metrics_; }
  /// Adds up `per_lane` of all workers along the tree. Every worker must call it.
  [[nodiscard]] StepSums sum_evaluation(std::span<const double> per_lane, std::int64_t samples);

  /// Writes the whole job's array number `state` of updater().states() to the flat array `flat`. Every worker must call it.
  void gather_state(std::size_t state, std::span<float> flat);
  /// Keeps of it what this worker owns.
  void set_state(std::size_t state, std::span<const float> flat);

  /// SHA-256 over the results of one full lane's step on keyed numbers: machines that would not give the same bits differ here.
  [[nodiscard]] std::string fingerprint(std::span<const Field> fields);

 private:
  /// A lane while it runs.
  struct LaneRun {
    AlignedBytes arena;
    std::vector<const std::byte*> inputs;
    std::vector<float> scalars;
    std::vector<float*> buckets;  ///< where its gradient goes
    CpuExecutor* executor = nullptr;
    LaneBinding binding;
    StepContext context;
    int lane = -1;
    std::size_t at = 0;  ///< the kernel call that is next
    int written = 0;     ///< calls that have written of the gradient
    int done = 0;        ///< buckets
  };
  enum class Verdict : std::uint8_t { unknown, finite, diverged };
  /// One thread.
  struct Seat {
    AlignedBytes scratch;
    std::map<std::pair<std::string, std::int64_t>, std::unique_ptr<CpuExecutor>> executors;
    std::vector<LaneRun> lanes;          ///< at once
    std::vector<AlignedFloats> state;    ///< [bucket], the owner's atoms one after the other, each [states, elements]
    AlignedFloats direction;             ///< of an atom
    StepScales scales;                   ///< of the step
    std::vector<float*> registers;       ///< where a fold works just now
    int posted = 0;                      ///< buckets of the step
    Verdict verdict = Verdict::unknown;  ///< on the step's loss
    bool scaled = false;                 ///< the sums that an update needs first are there, where it needs some
  };
  /// The training step under way, shared by the threads.
  struct Running {
    const StepBatch* batch = nullptr;
    std::span<const Field> fields;
    StepContext context;
    StepRates rates[2];  ///< of this step and the one before, by their parity
    bool traced = false;
  };

  const Plan& plan(const std::string& program, std::int64_t lane_size);
  void set_up();
  void make_seat(int thread);
  void prepare(const std::string& program, std::int64_t lane_size);
  void prepare(const std::string& program, const StepBatch& batch);
  void bind(LaneRun& run, Seat& seat, const std::string& program, const LaneBatch& lane, std::span<const Field> fields,
            std::int64_t batch_samples, const StepContext& context);
  void run_seat(int thread);
  [[nodiscard]] bool run_lanes(int thread, LaneRange lanes, bool last);
  enum class Turn : std::uint8_t { ran, passed, abandoned };
  [[nodiscard]] Turn run_call(int thread, LaneRun& run, const LaneRun* ahead);
  void add_sums(const LaneRun& run, std::span<double> sums) const;
  void fold(int thread, const LaneRun& run, const PlanStep& step);
  void post(int thread, int buckets);
  template <class Ready>
  [[nodiscard]] bool await(int thread, std::int64_t q, Ready ready);
  bool work(int thread);
  [[nodiscard]] Verdict verdict(Seat& seat) const;
  /// The step of the run that bucket q belongs to, and the track of a thread's exchange and sums for it; null: not traced.
  [[nodiscard]] std::uint64_t step_of(std::int64_t q) const { return running_.context.step - (q < flow_->first() ? 1 : 0); }
  [[nodiscard]] TraceTrack* network_track(int thread, std::uint64_t step) const;
  [[nodiscard]] bool measure(int thread);
  template <class Visit>
  void for_each_sum(int thread, std::int64_t q, Visit visit);
  void update_piece(int thread, std::int64_t q);
  [[nodiscard]] std::int64_t states() const { return std::ssize(updater_->states()); }
  /// Calls visit(atom, its optimizer state [states, elements]) for all that this worker owns.
  template <class Visit>
  void for_each_atom(Visit visit) {
    for (int t = 0; t < job_.threads; ++t) {
      for (int b = 0; b < flow_->buckets(); ++b) {
        float* state = seats_[static_cast<std::size_t>(t)].state[static_cast<std::size_t>(b)].data();
        for (const Atom& atom : flow_->pieces().piece(b, communicator_.rank(), t)) {
          visit(atom, state);
          state += states() * atom.count;
        }
      }
    }
  }
  void settle();
  [[noreturn]] void diverge(const StepBatch& batch, std::span<const Field> fields, const StepContext& context);
  [[nodiscard]] std::string first_non_finite_in(const LaneBatch& lane, std::span<const Field> fields, const StepContext& context,
                                                std::int64_t batch_samples);

  Communicator& communicator_;
  const Model& model_;
  JobShape job_;
  std::int64_t lane_size_;
  Metrics metrics_;
  FlatLayout layout_;
  std::optional<Updater> updater_;
  std::map<std::pair<std::string, std::int64_t>, std::unique_ptr<Plan>> plans_;
  std::unique_ptr<GradientFlow> flow_;
  int lanes_at_once_ = 1;  ///< of a thread
  std::vector<Seat> seats_;
  Running running_;
  bool set_ = false;  ///< parameters were written, the others may still be at it
  bool settled_ = true;
  StepTimes times_;
  double my_per_lane_ = 0;        ///< in the last step
  std::vector<double> per_lane_;  ///< [worker]
  Trace* trace_ = nullptr;
  bool has_correct_ = false;
  LaneTeam team_;
};

}  // namespace lockstep
