#include <atomic>

#include "comm/gradient_flow.hpp"
#include "comm/shared_memory.hpp"
#include "runtime/aligned.hpp"

namespace lockstep {
namespace {

/// How far a thread is, in buckets through all steps; written by it alone, read by everyone. A cache line of its own.
struct alignas(64) Progress {
  std::atomic<std::int64_t> posted{0};
  std::atomic<std::int64_t> updated{0};
  std::atomic<std::int64_t> sums{0};       ///< in steps
  std::atomic<std::int64_t> atom_sums{0};  ///< in rounds
};
static_assert(std::atomic<std::int64_t>::is_always_lock_free);

constexpr std::size_t kPage = 4096;
std::size_t whole_pages(std::size_t bytes) { return (bytes + kPage - 1) / kPage * kPage; }

/// Where everything lies in the memory that the workers share.
struct Map {
  std::size_t progress = 0, wishes = 0, sums = 0, atom_sums = 0, parameters = 0, buffers = 0, per_seat = 0, all = 0;

  Map(std::size_t seats, std::size_t workers, std::size_t lanes, std::size_t atom_doubles, std::size_t parameter_count,
      std::size_t floats_per_seat) {
    wishes = seats * sizeof(Progress);
    sums = wishes + 2 * workers * sizeof(double);
    atom_sums = sums + 2 * 2 * lanes * sizeof(double);
    parameters = whole_pages(atom_sums + 2 * atom_doubles * sizeof(double));
    buffers = parameters + whole_pages(parameter_count * sizeof(float));
    per_seat = whole_pages(floats_per_seat * sizeof(float));
    all = buffers + seats * per_seat;
  }
};

class SharedFlow final : public GradientFlow {
 public:
  SharedFlow(Communicator& communicator, const Job& job) : GradientFlow(communicator, job) {
    map_.emplace(seats_.size(), runs_.size(), static_cast<std::size_t>(job_.lanes), static_cast<std::size_t>(job_.rounds) * atom_doubles(),
                 static_cast<std::size_t>(job_.size), buffers_per_thread() * static_cast<std::size_t>(job_.ring) * elements_);
    if (communicator.size() == 1)
      base_ = (private_ = AlignedBytes(map_->all)).data();
    else if ((shared_ = SharedMemory::create(communicator, map_->all)))
      base_ = shared_->data();
    else
      return;
    // Zeroed memory is a valid Progress.
    progress_ = reinterpret_cast<Progress*>(base_ + map_->progress);
    const std::size_t sources = seats_.size() + static_cast<std::size_t>(2 * job_.lanes);
    desks_.assign(static_cast<std::size_t>(threads_), {std::vector<const float*>(sources), PieceSum(sources, pieces_.longest_atom())});
  }

  [[nodiscard]] bool works() const { return base_ != nullptr; }
  [[nodiscard]] const char* kind() const override { return shared_ ? "shared memory" : "alone"; }
  [[nodiscard]] std::span<float> parameters() override {
    return {reinterpret_cast<float*>(base_ + map_->parameters), static_cast<std::size_t>(job_.size)};
  }

  void begin_step(std::span<const int> lane_samples, std::int64_t step, Wish wish) override {
    count_step(lane_samples, step);
    wishes()[me_] = static_cast<double>(wish);
  }

  [[nodiscard]] float* buffer(int thread, int buffer, int bucket) const override {
    return buffer_of(first_seat_ + static_cast<std::size_t>(thread), buffer, first() + bucket);
  }
  void post(int thread, std::int64_t q) override { mine(thread).posted.store(q, std::memory_order_release); }
  [[nodiscard]] bool settled(std::int64_t q) const override { return all_beyond(&Progress::updated, q); }

  [[nodiscard]] std::span<double> lane_sums(int lane) override { return {sums() + 2 * lane, 2}; }
  void post_sums(int thread) override { mine(thread).sums.store(steps_, std::memory_order_release); }
  [[nodiscard]] bool sums_ready() const override { return all_beyond(&Progress::sums, steps_ - 1); }
  [[nodiscard]] std::span<const double> all_sums() const override { return {sums(), static_cast<std::size_t>(2 * job_.lanes)}; }
  [[nodiscard]] Wish wish() const override { return static_cast<Wish>(*std::max_element(wishes(), wishes() + runs_.size())); }

  [[nodiscard]] bool arrived(std::int64_t q) override { return all_beyond(&Progress::posted, q); }
  [[nodiscard]] std::span<double> atom_sums(int round) override {
    return {reinterpret_cast<double*>(base_ + map_->atom_sums) + atom_place(round) * atom_doubles(), atom_doubles()};
  }
  void post_atom_sums(int thread, int round) override { mine(thread).atom_sums.store(round_number(round) + 1, std::memory_order_release); }
  [[nodiscard]] bool atom_sums_ready(int round) const override { return all_beyond(&Progress::atom_sums, round_number(round)); }

  bool progress(int) override { return false; }

  [[nodiscard]] std::optional<std::int64_t> claim(int thread, std::int64_t limit) override {
    const std::int64_t q = mine(thread).updated.load(std::memory_order_relaxed);
    return q < limit && arrived(q) ? std::optional(q) : std::nullopt;
  }

  void sum_piece(int thread, std::int64_t q, const Consume& consume) override {
    const StepPlans& plans = plans_of(q);
    const std::span<const RestPlan::Source> sources = plans.over_threads.sources();
    Desk& desk = desks_[static_cast<std::size_t>(thread)];
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const auto seat = static_cast<std::size_t>(sources[i].run);
      desk.bases[i] = buffer_of(seat, plans.folds[seat].partials()[static_cast<std::size_t>(sources[i].partial)], q);
    }
    const auto address = [&desk](std::size_t i, const Atom& atom) { return desk.bases[i] + atom.offset; };
    desk.sum.run(plans.over_threads, pieces_.piece(static_cast<int>(q % buckets()), me_, thread), address, consume);
  }
  void updated(int thread, std::int64_t q) override { mine(thread).updated.store(q + 1, std::memory_order_release); }

  void name_the_silent(std::int64_t q) const override {
    const Waiting losses{.what = "adding up the losses", .step = step_of(first())};
    if (q < 0)
      return name_those_behind(&Progress::sums, steps_ - 1, losses);
    // What an update of bucket q needs first, in its order: everyone's gradients, their losses and norms if it is this step's, then
    // their own updates.
    const Waiting bucket{.what = "summing bucket", .step = step_of(q), .index = static_cast<int>(q % buckets()), .of = buckets()};
    name_those_behind(&Progress::posted, q, bucket);
    if (q >= first()) {
      name_those_behind(&Progress::sums, steps_ - 1, losses);
      for (int round = 0; round < job_.rounds; ++round)
        name_those_behind(&Progress::atom_sums, round_number(round), {.what = "adding up norms", .step = step_of(first())});
    }
    name_those_behind(&Progress::updated, q, bucket);
  }

 private:
  struct Desk {  ///< one thread's
    std::vector<const float*> bases;
    PieceSum sum;
  };

  /// Throws naming the other workers with a thread whose counter is not beyond q, if there are such.
  void name_those_behind(std::atomic<std::int64_t> Progress::*counter, std::int64_t q, const Waiting& waiting) const {
    std::vector<int> workers;
    for (int w = 0; w < pieces_.workers(); ++w) {
      const Progress* const seats = progress_ + pieces_.first_thread(w);
      if (w != me_ && std::any_of(seats, seats + pieces_.threads(w), [&](const Progress& p) { return p.*counter <= q; }))
        workers.push_back(w);
    }
    if (!workers.empty())
      throw no_answer(communicator_, workers, waiting);
  }
  [[nodiscard]] Progress& mine(int thread) const { return progress_[first_seat_ + static_cast<std::size_t>(thread)]; }
  [[nodiscard]] bool all_beyond(std::atomic<std::int64_t> Progress::*counter, std::int64_t q) const {
    return std::all_of(progress_, progress_ + seats_.size(),
                       [&](const Progress& p) { return (p.*counter).load(std::memory_order_acquire) > q; });
  }
  [[nodiscard]] float* buffer_of(std::size_t seat, int buffer, std::int64_t q) const {
    return place(reinterpret_cast<float*>(base_ + map_->buffers + seat * map_->per_seat), buffer, q);
  }
  [[nodiscard]] std::int64_t round_number(int round) const { return (steps_ - 1) * job_.rounds + round; }
  // A step's sums and wishes have a place that the next step's do not use: nobody is two steps ahead of another.
  [[nodiscard]] double* sums() const {
    return reinterpret_cast<double*>(base_ + map_->sums) + parity() * static_cast<std::size_t>(2 * job_.lanes);
  }
  [[nodiscard]] double* wishes() const { return reinterpret_cast<double*>(base_ + map_->wishes) + parity() * runs_.size(); }

  std::optional<Map> map_;
  AlignedBytes private_;  ///< where there is one worker
  std::unique_ptr<SharedMemory> shared_;
  std::byte* base_ = nullptr;
  Progress* progress_ = nullptr;
  std::vector<Desk> desks_;
};

}  // namespace

std::unique_ptr<GradientFlow> shared_flow(Communicator& communicator, const GradientFlow::Job& job) {
  auto flow = std::make_unique<SharedFlow>(communicator, job);
  return flow->works() ? std::move(flow) : nullptr;
}

}  // namespace lockstep
