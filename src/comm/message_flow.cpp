#include <atomic>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "comm/exchange.hpp"
#include "comm/gradient_flow.hpp"
#include "runtime/aligned.hpp"
#include "runtime/cores.hpp"

namespace lockstep {
namespace {

using Stage = OrderedExchange::Stage;

/// A bucket on its way, counted in steps: how often each thing has happened to it. All but `settled` under the lock.
struct Stand {
  std::int64_t begun = 0;
  std::vector<std::int64_t> folded;   ///< [thread]: its part of the worker's sums is there
  std::int64_t sent = 0;              ///< its messages have been started
  std::int64_t arrived = 0;           ///< so have all others'
  std::vector<std::int64_t> updated;  ///< [thread]
  std::int64_t published = 0;         ///< the results' messages have been started
  std::atomic<std::int64_t> settled{0};
};

bool all_at(std::span<const std::int64_t> counts, std::int64_t step) {
  return std::ranges::all_of(counts, [step](std::int64_t count) { return count >= step; });
}

class MessageFlow final : public GradientFlow {
 public:
  MessageFlow(Communicator& communicator, const Job& job)
      : GradientFlow(communicator, job),
        exchange_(communicator_, pieces_, partials_per_run(runs_, job_.reduce)),
        stands_(static_cast<std::size_t>(buckets())),
        posted_(static_cast<std::size_t>(threads_)),
        parameters_(static_cast<std::size_t>(job_.size)) {
    const auto threads = static_cast<std::size_t>(threads_);
    for (Stand& stand : stands_) {
      stand.folded.resize(threads);
      stand.updated.resize(threads);
    }
    const std::size_t slots = static_cast<std::size_t>(job_.ring);
    for (std::size_t t = 0; t < threads; ++t)
      buffers_.emplace_back(buffers_per_thread() * slots * elements_);
    const std::vector<int> full(static_cast<std::size_t>(job_.lanes), 1);
    const std::span mine(seats_.data() + first_seat_, threads);
    scratch_ =
        AlignedFloats(static_cast<std::size_t>(RestPlan(mine, runs_[static_cast<std::size_t>(me_)], full, job_.reduce).scratch() + 1) *
                      slots * elements_);
    std::size_t most = 0;
    for (const LaneRange& run : runs_)
      most = std::max(most, static_cast<std::size_t>(run.size()));
    for (Sums& s : sums_)
      s.resize(1 + 2 * most, static_cast<std::size_t>(2 * job_.lanes), runs_.size());
    most = 0;
    for (int w = 0; w < pieces_.workers(); ++w)
      most = std::max(most, for_each_atom_range(w, [](std::size_t, std::size_t) {}));
    atom_sums_.resize(2 * static_cast<std::size_t>(job_.rounds));
    for (Sums& s : atom_sums_)
      s.resize(most, atom_doubles(), runs_.size());
    registers_.resize(threads + 1, std::vector<float*>(static_cast<std::size_t>(3 * job_.lanes) + threads));
    partials_.resize(static_cast<std::size_t>(2 * job_.lanes));
  }

  [[nodiscard]] const char* kind() const override { return "messages"; }
  [[nodiscard]] std::int64_t bytes_sent() const override {
    const std::lock_guard lock(mutex_);
    return exchange_.bytes_sent();
  }
  [[nodiscard]] std::span<float> parameters() override { return parameters_.span(); }

  void begin_step(std::span<const int> lane_samples, std::int64_t step, Wish wish) override {
    const std::lock_guard lock(mutex_);
    count_step(lane_samples, step);
    block(me_)[0] = static_cast<double>(wish);
    courier_wakes_.notify_one();
  }

  [[nodiscard]] float* buffer(int thread, int buffer, int bucket) const override {
    return place(buffers_[static_cast<std::size_t>(thread)].data(), buffer, first() + bucket);
  }
  void post(int thread, std::int64_t q) override { posted_[static_cast<std::size_t>(thread)].store(q, std::memory_order_release); }
  [[nodiscard]] bool settled(std::int64_t q) const override { return stand(q).settled.load(std::memory_order_acquire) > q / buckets(); }

  [[nodiscard]] std::span<double> lane_sums(int lane) override {
    return {block(me_) + 1 + 2 * (lane - runs_[static_cast<std::size_t>(me_)].begin), 2};
  }
  void post_sums(int) override {
    if (sums_posted_.fetch_add(1, std::memory_order_acq_rel) + 1 != steps_ * threads_)
      return;
    const std::lock_guard lock(mutex_);
    start(sums_[parity()], 2 * buckets(), "adding up the losses");
  }
  [[nodiscard]] bool sums_ready() const override { return sums_done_.load(std::memory_order_acquire) == steps_; }
  [[nodiscard]] std::span<const double> all_sums() const override { return sums_[parity()].in_order; }
  [[nodiscard]] Wish wish() const override {
    double greatest = 0;
    for (int w = 0; w < pieces_.workers(); ++w)
      greatest = std::max(greatest, block(w)[0]);
    return static_cast<Wish>(greatest);
  }

  [[nodiscard]] bool arrived(std::int64_t q) override {
    const std::lock_guard lock(mutex_);
    return stand(q).arrived > q / buckets();
  }
  [[nodiscard]] std::span<double> atom_sums(int round) override { return atom_sums_[atom_place(round)].in_order; }
  void post_atom_sums(int, int round) override {
    const std::lock_guard lock(mutex_);
    if (++atom_sums_posted_ % threads_ != 0)
      return;
    Sums& s = atom_sums_[atom_place(round)];
    double* to = s.of(me_);
    for_each_atom_range(me_, [&](std::size_t begin, std::size_t count) {
      to = std::copy_n(s.in_order.begin() + static_cast<std::ptrdiff_t>(begin), count, to);
    });
    start(s, 2 * buckets() + 1 + round, "adding up norms");
  }
  [[nodiscard]] bool atom_sums_ready(int round) const override {
    return atom_sums_done_.load(std::memory_order_acquire) > (steps_ - 1) * job_.rounds + round;
  }

  bool progress(int thread) override {
    rethrow();
    bool moved = fold_part(thread);
    if (const std::unique_lock lock(mutex_, std::try_to_lock); lock.owns_lock()) {
      try {
        moved = move_all().moved || moved;
      } catch (...) {
        fail();
        throw;
      }
    }
    return moved;
  }

  [[nodiscard]] std::optional<std::int64_t> claim(int thread, std::int64_t limit) override {
    const std::lock_guard lock(mutex_);
    for (std::int64_t q = std::max<std::int64_t>(0, limit - 2 * buckets()); q < limit; ++q) {
      if (stand(q).arrived > q / buckets() && stand(q).updated[static_cast<std::size_t>(thread)] == q / buckets())
        return q;
    }
    return std::nullopt;
  }
  void sum_piece(int thread, std::int64_t q, const Consume& consume) override {
    exchange_.sum_piece(static_cast<int>(q % buckets()), thread, consume);
  }
  void updated(int thread, std::int64_t q) override {
    const std::lock_guard lock(mutex_);
    stand(q).updated[static_cast<std::size_t>(thread)] = q / buckets() + 1;
  }

  void abandon() override {
    courier_.request_stop();
    courier_.join();
  }

  void name_the_silent(std::int64_t) const override {}  // the communicator does, when it tests

 private:
  /// Doubles that every worker sends to all others: its lanes' [wish, loss, correct, loss, correct, …], or those of its atoms.
  struct Sums {
    std::size_t block = 0;  ///< of a worker, at most
    std::vector<double> blocks;
    std::vector<double> in_order;
    std::vector<Request> requests;
    Waiting waiting;

    void resize(std::size_t doubles, std::size_t all, std::size_t workers) {
      block = doubles;
      blocks.resize(block * workers);
      in_order.resize(all);
      requests.reserve(2 * workers);
    }
    [[nodiscard]] double* of(int worker) { return blocks.data() + static_cast<std::size_t>(worker) * block; }
  };

  /// Calls visit(begin, count) for the doubles of a worker's atoms in atom_sums; gives their number.
  template <class Visit>
  std::size_t for_each_atom_range(int worker, Visit visit) const {
    std::size_t all = 0;
    for (int b = 0; b < buckets(); ++b) {
      const Atom* const first = pieces_.piece(b, worker, 0).data();
      const std::span<const Atom> last = pieces_.piece(b, worker, pieces_.threads(worker) - 1);
      const auto count = kAtomSums * static_cast<std::size_t>(last.data() + last.size() - first);
      visit(kAtomSums * (first_atom(b) + static_cast<std::size_t>(first - pieces_.atoms(b).data())), count);
      all += count;
    }
    return all;
  }

  /// With the lock.
  void start(Sums& s, int tag, const char* what) {
    s.requests.clear();
    s.waiting = {.what = what, .step = step_of(first())};
    const int workers = pieces_.workers();
    for (int k = 1; k < workers; ++k) {
      const int from = (me_ - k + workers) % workers;
      s.requests.push_back(communicator_.receive(from, tag, std::as_writable_bytes(std::span(s.of(from), s.block))));
    }
    for (int k = 1; k < workers; ++k)
      s.requests.push_back(communicator_.send((me_ + k) % workers, tag, std::as_bytes(std::span(s.of(me_), s.block))));
    travelling_ = &s;
  }

  struct Moved {
    bool moved = false, pending = false;
  };
  /// All that is under way. With the lock.
  Moved move_all() {
    Moved result;
    if (failed_)
      return result;
    result.moved = move_sums();
    const std::int64_t last = first() + buckets();
    for (std::int64_t q = std::max<std::int64_t>(0, last - 2 * buckets()); q < last; ++q) {
      result.moved = move(q) || result.moved;
      result.pending = result.pending || !settled(q);
    }
    return result;
  }

  /// Messages move only while somebody asks for them: this thread does while the others compute, and sleeps in between. It asks for nothing
  /// once the last step is settled, so that the communicator is free for others then.
  void carry(const std::stop_token& stop) {
    try {
      use_all_cores();
      std::unique_lock lock(mutex_);
      while (!stop.stop_requested()) {
        if (steps_ == 0 || !move_all().pending) {
          courier_wakes_.wait(lock, stop, [this, seen = steps_] { return steps_ != seen; });
          continue;
        }
        lock.unlock();
        std::this_thread::sleep_for(std::chrono::microseconds(100));
        lock.lock();
      }
    } catch (...) {
      fail();
    }
  }

  /// In a handler. Nothing moves any more: messages that were given up have not arrived.
  void fail() {
    const std::lock_guard lock(error_mutex_);
    error_ = std::current_exception();
    failed_ = true;
  }
  void rethrow() {
    if (failed_) {
      const std::lock_guard lock(error_mutex_);
      std::rethrow_exception(error_);
    }
  }

  [[nodiscard]] Stand& stand(std::int64_t q) { return stands_[static_cast<std::size_t>(q % buckets())]; }
  [[nodiscard]] const Stand& stand(std::int64_t q) const { return stands_[static_cast<std::size_t>(q % buckets())]; }
  [[nodiscard]] double* block(int worker) { return sums_[parity()].of(worker); }
  [[nodiscard]] const double* block(int worker) const {
    return sums_[parity()].blocks.data() + static_cast<std::size_t>(worker) * sums_[parity()].block;
  }

  /// The registers of over_mine for bucket q; gives their number.
  std::size_t bind(std::int64_t q, std::vector<float*>& registers) const {
    const StepPlans& plans = plans_of(q);
    const std::span<const RestPlan::Source> sources = plans.over_mine.sources();
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const auto thread = static_cast<std::size_t>(sources[i].run);
      const std::span<const int> partials = plans.folds[first_seat_ + thread].partials();
      registers[i] = place(buffers_[thread].data(), partials[static_cast<std::size_t>(sources[i].partial)], q);
    }
    for (int i = 0; i < plans.over_mine.scratch(); ++i)
      registers[sources.size() + static_cast<std::size_t>(i)] = place(scratch_.data(), i, q);
    return sources.size() + static_cast<std::size_t>(plans.over_mine.scratch());
  }

  /// Adds up a thread's share of the next bucket that all of them have posted.
  bool fold_part(int thread) {
    std::int64_t& next = folded_[static_cast<std::size_t>(thread)].next;
    if (std::ranges::any_of(posted_, [&](const auto& posted) { return posted.load(std::memory_order_acquire) <= next; }))
      return false;
    const std::int64_t q = next++;
    if (const std::span<const SumOp> ops = plans_of(q).over_mine.ops(); !ops.empty()) {
      std::vector<float*>& registers = registers_[static_cast<std::size_t>(thread)];
      const std::size_t used = bind(q, registers);
      const Pieces::Range span = pieces_.span(static_cast<int>(q % buckets()));
      const std::int64_t blocks = (span.count + Pieces::kPadding - 1) / Pieces::kPadding;
      const std::int64_t begin = blocks * thread / threads_ * Pieces::kPadding;
      const std::int64_t end = std::min(span.count, blocks * (thread + 1) / threads_ * Pieces::kPadding);
      for (std::size_t i = 0; i < used; ++i)
        registers[i] += span.offset + begin;
      run_sums<float>(ops, registers.data(), static_cast<std::size_t>(std::max<std::int64_t>(0, end - begin)));
    }
    const std::lock_guard lock(mutex_);
    stand(q).folded[static_cast<std::size_t>(thread)] = q / buckets() + 1;
    return true;
  }

  bool move_sums() {
    if (travelling_ == nullptr || !communicator_.test(travelling_->requests, travelling_->waiting))
      return false;
    Sums& s = *std::exchange(travelling_, nullptr);
    if (&s == &sums_[parity()]) {
      for (std::size_t w = 0; w < runs_.size(); ++w)
        std::copy_n(block(static_cast<int>(w)) + 1, 2 * runs_[w].size(), s.in_order.begin() + 2 * runs_[w].begin);
      sums_done_.store(steps_, std::memory_order_release);
    } else {
      for (int w = 0; w < pieces_.workers(); ++w) {
        const double* from = s.of(w);
        for_each_atom_range(w, [&](std::size_t begin, std::size_t count) {
          std::copy_n(from, count, s.in_order.begin() + static_cast<std::ptrdiff_t>(begin));
          from += count;
        });
      }
      atom_sums_done_.fetch_add(1, std::memory_order_release);
    }
    return true;
  }

  /// Takes bucket q as far as it goes.
  bool move(std::int64_t q) {
    Stand& s = stand(q);
    const auto b = static_cast<int>(q % buckets());
    const std::int64_t step = q / buckets();
    if (s.settled != step)
      return false;  // done, or the step before is not
    bool moved = false;
    if (s.begun == step) {
      exchange_.begin(b, plans_of(q).over_workers, step_of(q));
      ++s.begun;
      moved = true;
    }
    if (s.sent == step && all_at(s.folded, step + 1)) {
      send(q);
      ++s.sent;
      moved = true;
    }
    if (s.sent > step && s.arrived == step && exchange_.poll(b, Stage::arrived)) {
      ++s.arrived;
      moved = true;
    }
    if (s.arrived > step && s.published == step && job_.rounds > 0)
      static_cast<void>(exchange_.poll(b, Stage::sent));  // others still wait for what of it has not left
    if (s.arrived > step && s.published == step && all_at(s.updated, step + 1)) {
      exchange_.publish(b, parameters_.data());
      ++s.published;
      moved = true;
    }
    if (s.published > step && exchange_.poll(b, Stage::published) && exchange_.poll(b, Stage::sent)) {
      s.settled.store(step + 1, std::memory_order_release);
      moved = true;
    }
    return moved;
  }

  void send(std::int64_t q) {
    std::vector<float*>& registers = registers_.back();
    bind(q, registers);
    const std::span<const int> results = plans_of(q).over_mine.results();
    for (std::size_t f = 0; f < results.size(); ++f)
      partials_[f] = results[f] < 0 ? nullptr : registers[static_cast<std::size_t>(results[f])];
    exchange_.bucket_ready(static_cast<int>(q % buckets()), {partials_.data(), results.size()});
  }

  struct alignas(64) Next {
    std::int64_t next = 0;
  };

  mutable std::mutex mutex_;
  OrderedExchange exchange_;
  std::vector<Stand> stands_;
  std::vector<std::atomic<std::int64_t>> posted_;  ///< [thread], in buckets through all steps
  std::vector<Next> folded_ = std::vector<Next>(static_cast<std::size_t>(threads_));
  AlignedFloats parameters_;
  std::vector<AlignedFloats> buffers_;          ///< [thread]
  AlignedFloats scratch_;                       ///< of over_mine
  std::vector<std::vector<float*>> registers_;  ///< [thread], and the sender's
  std::vector<const float*> partials_;
  Sums sums_[2];
  std::vector<Sums> atom_sums_;  ///< [parity, round]
  Sums* travelling_ = nullptr;   ///< the others wait for this one to be done
  std::int64_t atom_sums_posted_ = 0;
  std::atomic<std::int64_t> sums_posted_{0}, sums_done_{0}, atom_sums_done_{0};
  std::atomic<bool> failed_{false};
  std::mutex error_mutex_;
  std::exception_ptr error_;
  std::condition_variable_any courier_wakes_;
  std::jthread courier_{[this](const std::stop_token& stop) { carry(stop); }};
};

}  // namespace

std::unique_ptr<GradientFlow> message_flow(Communicator& communicator, const GradientFlow::Job& job) {
  return std::make_unique<MessageFlow>(communicator, job);
}

}  // namespace lockstep
