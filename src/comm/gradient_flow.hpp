#pragma once

#include <functional>
#include <optional>

#include "comm/pieces.hpp"
#include "comm/wish.hpp"

namespace lockstep {

/// How the gradients of a job's lanes become new parameters: where threads put their sums, who may read what when, and how it travels.
///
/// Every thread of every worker runs some lanes and owns a piece of every bucket. In a step a thread posts each bucket when all its lanes
/// have finished it and none of them will read its parameters again; once all threads have, the owner of each piece evaluates the tree
/// over lanes, updates its parameters and says so. A bucket is settled when all of its parameters have been updated. Steps overlap: what
/// is left of one goes on while the next one's lanes run, as far as the parameters that they read are settled.
///
/// A thread's sums lie in a ring of bucket buffers, so that a gradient is still in the cache when it is summed.
///
/// Two kinds: on one machine the workers share memory, read each other's sums in place and have one copy of the parameters; else every
/// worker first sums its threads' and the workers exchange messages (OrderedExchange); the communicator then belongs to the flow until the
/// last step is settled. Buckets are counted through all steps: number
/// q = step · buckets() + bucket, where the first step has number 0. Methods may be called by all threads of the worker at once unless they
/// say otherwise. Nothing is allocated once the first step of every plan is through.
class GradientFlow {
 public:
  struct Job {
    int lanes = 1;
    std::vector<int> threads_per_worker{1};
    ReduceMode reduce = ReduceMode::exact;
    std::vector<std::vector<Atom>> buckets;
    std::int64_t size = 0;  ///< elements of the flat array
    int ring = 1;           ///< buckets that a thread may have open at once, at least what its plan needs
    int rounds = 0;         ///< of sums over atoms that a step needs before its update; the ring must then hold all buckets
  };
  static constexpr int kAtomSums = 2;  ///< doubles for each atom in a round
  using Consume = std::function<void(const Atom&, const float* sum)>;

  /// Every worker must call it with the same job. `share`: by shared memory where that is possible.
  [[nodiscard]] static std::unique_ptr<GradientFlow> create(Communicator& communicator, Job job, bool share = true);
  GradientFlow(const GradientFlow&) = delete;
  GradientFlow& operator=(const GradientFlow&) = delete;
  virtual ~GradientFlow() = default;

  [[nodiscard]] const Pieces& pieces() const { return pieces_; }
  [[nodiscard]] int buckets() const { return pieces_.buckets(); }
  [[nodiscard]] const std::vector<LaneRange>& runs() const { return runs_; }
  /// The lanes of a thread of this worker.
  [[nodiscard]] LaneRange run(int thread) const { return seats_[first_seat_ + static_cast<std::size_t>(thread)]; }
  [[nodiscard]] virtual const char* kind() const = 0;  ///< "alone", "shared memory" or "messages"
  [[nodiscard]] virtual std::int64_t bytes_sent() const { return 0; }

  /// The flat parameters. With shared memory there is one copy: all workers may write the same to it between steps, then `meet`.
  [[nodiscard]] virtual std::span<float> parameters() = 0;
  /// After the parameters were written: waits for everyone. One thread.
  void meet();

  // ---- a step ----

  /// One thread, while the others rest. `lane_samples` of all lanes; `wish`: this worker's. `step` is for messages only.
  virtual void begin_step(std::span<const int> lane_samples, std::int64_t step, Wish wish) = 0;
  /// The number of the step's first bucket.
  [[nodiscard]] std::int64_t first() const { return (steps_ - 1) * buckets(); }
  [[nodiscard]] const FoldPlan& fold(int thread) const { return plans_[parity()]->folds[first_seat_ + static_cast<std::size_t>(thread)]; }

  /// A thread may write to bucket q when what its buffers held before has been used: when this earlier bucket is settled.
  [[nodiscard]] std::int64_t waits_for(std::int64_t q) const { return q - job_.ring; }
  [[nodiscard]] bool may_write(std::int64_t q) const { return waits_for(q) < 0 || settled(waits_for(q)); }
  /// A buffer of this thread in this step: element e of the flat array is at the returned address + e, for the elements of the bucket.
  [[nodiscard]] virtual float* buffer(int thread, int buffer, int bucket) const = 0;
  /// All buckets before q are in the thread's buffers. A release: what was written is seen by who sums it.
  virtual void post(int thread, std::int64_t q) = 0;
  /// Whether the parameters of bucket q are those that its step has made.
  [[nodiscard]] virtual bool settled(std::int64_t q) const = 0;

  /// [loss, correct] of a lane in this step, to be written before post_sums.
  [[nodiscard]] virtual std::span<double> lane_sums(int lane) = 0;
  virtual void post_sums(int thread) = 0;
  /// Whether all lanes' sums of this step are there.
  [[nodiscard]] virtual bool sums_ready() const = 0;
  /// Then: [lanes, 2] of the whole job, and the greatest wish of all workers.
  [[nodiscard]] virtual std::span<const double> all_sums() const = 0;
  [[nodiscard]] virtual Wish wish() const = 0;

  // ---- rounds of sums over atoms, for updates that need all sums first; after sums_ready, one after another ----

  /// Whether sum_piece may be called for bucket q, again and again until `updated`.
  [[nodiscard]] virtual bool arrived(std::int64_t q) = 0;
  /// [atoms of all buckets, kAtomSums] of this step. To be written for the atoms that this thread owns, before its post_atom_sums; all are
  /// there when atom_sums_ready.
  [[nodiscard]] virtual std::span<double> atom_sums(int round) = 0;
  virtual void post_atom_sums(int thread, int round) = 0;
  [[nodiscard]] virtual bool atom_sums_ready(int round) const = 0;
  /// The place of a bucket's first atom.
  [[nodiscard]] std::size_t first_atom(int bucket) const { return first_atom_[static_cast<std::size_t>(bucket)]; }

  // ---- what a thread does whenever it has time ----

  /// Moves messages and sums along; true if something moved.
  virtual bool progress(int thread) = 0;
  /// A bucket before `limit` whose piece this thread should sum and update now.
  [[nodiscard]] virtual std::optional<std::int64_t> claim(int thread, std::int64_t limit) = 0;
  /// Calls consume(atom, sum) for every atom of the claimed piece; sum[i] belongs to flat element atom.offset + i.
  virtual void sum_piece(int thread, std::int64_t q, const Consume& consume) = 0;
  virtual void updated(int thread, std::int64_t q) = 0;

  /// Nothing that is under way will be finished, and no step follows: the communicator is free for others. One thread, the others resting.
  virtual void abandon() {}

  /// Throws WorkerLost naming the workers that bucket q, or where q is −1 the step's sums, wait for, if there are such. Called when
  /// nothing has happened for as long as the communicator's deadline.
  virtual void name_the_silent(std::int64_t q) const = 0;

 protected:
  struct StepPlans {
    std::vector<FoldPlan> folds;  ///< [thread of the job]
    RestPlan over_threads;        ///< of all workers
    RestPlan over_workers;
    RestPlan over_mine;  ///< this worker's threads: a result a maximal subtree of its run
  };

  GradientFlow(Communicator& communicator, Job job);
  /// The plans of the step that bucket q belongs to.
  [[nodiscard]] const StepPlans& plans_of(std::int64_t q) const { return *plans_[static_cast<std::size_t>(q / buckets() % 2)]; }
  [[nodiscard]] std::size_t parity() const { return static_cast<std::size_t>((steps_ - 1) % 2); }
  [[nodiscard]] std::int64_t step_of(std::int64_t q) const { return numbers_[static_cast<std::size_t>(q / buckets() % 2)]; }
  /// Buffers a thread needs at most; each is a ring of job_.ring places for elements_ floats.
  [[nodiscard]] std::size_t buffers_per_thread() const;
  /// The place of bucket q in a buffer of this memory, from which the flat array's element e is at + e.
  [[nodiscard]] float* place(float* memory, int buffer, std::int64_t q) const {
    const auto slot = static_cast<std::size_t>(buffer * job_.ring + q % job_.ring);
    return memory + slot * elements_ - pieces_.span(static_cast<int>(q % buckets())).offset;
  }
  /// Of atom_sums; they have places that the next step's do not use.
  [[nodiscard]] std::size_t atom_doubles() const { return kAtomSums * first_atom_.back(); }
  [[nodiscard]] std::size_t atom_place(int round) const {
    return parity() * static_cast<std::size_t>(job_.rounds) + static_cast<std::size_t>(round);
  }
  /// What begin_step does for both kinds.
  void count_step(std::span<const int> lane_samples, std::int64_t step);

  Communicator& communicator_;
  Job job_;
  int me_;
  int threads_;  ///< of this worker
  Pieces pieces_;
  std::vector<LaneRange> runs_;          ///< of the workers
  std::vector<LaneRange> seats_;         ///< of all threads of the job
  std::size_t first_seat_ = 0;           ///< of this worker
  std::size_t elements_ = 0;             ///< of the largest bucket
  std::vector<std::size_t> first_atom_;  ///< [bucket + 1]
  std::int64_t steps_ = 0;               ///< begun

 private:
  const StepPlans& make_plans(std::span<const int> lane_samples);

  std::vector<std::pair<std::vector<bool>, std::unique_ptr<StepPlans>>> known_;  ///< by which lanes have samples
  const StepPlans* plans_[2] = {nullptr, nullptr};
  std::int64_t numbers_[2] = {0, 0};
};

/// The two kinds, for `create`. Shared memory: nothing where the workers cannot share.
[[nodiscard]] std::unique_ptr<GradientFlow> shared_flow(Communicator& communicator, const GradientFlow::Job& job);
[[nodiscard]] std::unique_ptr<GradientFlow> message_flow(Communicator& communicator, const GradientFlow::Job& job);

}  // namespace lockstep
