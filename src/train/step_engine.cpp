#include "train/step_engine.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>

#include "train/step_state.hpp"

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

}  // namespace

StepSums StepEngine::train(const StepBatch& batch, std::span<const Field> fields, std::span<const int> lane_samples,
                           const StepContext& context, double rate, bool stop) {
  prepare("train", batch);
  Running& step = *running_;
  step.batch = &batch;
  step.fields = fields;
  step.context = context;
  step.plans = &step_plans(lane_samples);
  step.rate = rate;
  const FoldPlan& fold = step.plans->fold;
  const int buckets = exchange_->buckets();
  for (int round = 0; round < fold.rounds(); ++round) {
    const LaneRange lanes = fold.lanes(round);
    step.active[static_cast<std::size_t>(round)] = static_cast<int>(
        std::count_if(lane_samples.begin() + lanes.begin, lane_samples.begin() + lanes.end, [](int samples) { return samples > 0; }));
    for (int b = 0; b < buckets; ++b) {
      Cell& cell = step.cell(round, b, buckets);
      cell.arrived = cell.claimed = cell.folded = 0;
    }
  }
  for (std::size_t f = 0; f < fold.partials().size(); ++f) {
    const int reg = fold.partials()[f];
    step.partials[f] = reg < 0 ? nullptr : registers_[static_cast<std::size_t>(reg)];
  }
  std::fill(lane_sums_.begin(), lane_sums_.end(), 0.0);

  const auto start = Clock::now();
  exchange_->begin_step(step.plans->rest, static_cast<std::int64_t>(context.step));
  team_.run([this](int thread) { run_lanes(thread); });
  times_.compute += seconds_since(start);

  const auto summed = Clock::now();
  const StepSums sums = exchange_sums(lane_samples, stop);
  if (!std::isfinite(sums.loss)) {
    diverge(batch, fields, context);
  }
  for (int b = 0; b < buckets; ++b) {
    step.pieces[static_cast<std::size_t>(b)] = job_.threads;
  }
  team_.run([this](int thread) { update_pieces(thread); });
  exchange_->finish();
  times_.exchange += seconds_since(summed);
  return sums;
}

void StepEngine::run_lanes(int thread) {
  const FoldPlan& fold = running_->plans->fold;
  for (int round = 0; round < fold.rounds(); ++round) {
    const LaneRange lanes = fold.lanes(round);
    const int lane = lanes.begin + thread;
    if (lane < lanes.end) {
      run_lane(thread, round, running_->batch->lanes[static_cast<std::size_t>(lane - this->lanes().begin)]);
    }
    // The lanes' copies are written again in the next round: fold them all first.
    Backoff backoff;
    while (!team_.failed() && !round_folded(round)) {
      if (!fold_something(thread, round)) {
        move_messages();
        backoff.pause();
      }
    }
  }
}

void StepEngine::bind(LaneThread& thread, const Plan& plan, const LaneBatch& lane, std::span<const Field> fields,
                      std::int64_t batch_samples) {
  for (std::size_t i = 0; i < plan.inputs.size(); ++i) {
    const auto field = std::ranges::find(fields, plan.inputs[i].name, &Field::name);
    thread.inputs[i] = lane.fields[static_cast<std::size_t>(field - fields.begin())];
  }
  for (std::size_t i = 0; i < plan.scalars.size(); ++i) {
    const auto whole = static_cast<float>(batch_samples);
    thread.scalars[i] = plan.scalars[i] == kLaneShare ? static_cast<float>(lane.samples) / whole : 1.0F / whole;
  }
}

void StepEngine::run_lane(int thread, int round, const LaneBatch& lane) {
  if (lane.samples == 0) {
    return;
  }
  LaneThread& own = lane_threads_[static_cast<std::size_t>(thread)];
  CpuExecutor& executor = *own.executors.at({"train", lane.samples});
  bind(own, executor.plan(), lane, running_->fields, running_->batch->samples);
  StepContext context = running_->context;
  context.first_row = static_cast<std::uint64_t>(lane.first_row);
  const LaneBinding binding{own.inputs, own.scalars, parameters_.data(), own.gradients.data()};
  const int buckets = exchange_->buckets();
  int arrived = 0;
  executor.run(binding, context, [&](int done) {
    for (; arrived < done; ++arrived) {
      running_->cell(round, arrived, buckets).arrived.fetch_add(1, std::memory_order_acq_rel);
    }
    fold_something(thread, round);
    move_messages();
  });
  double* sums = lane_sums_.data() + 2 * static_cast<std::size_t>(lane.lane - lanes().begin);
  sums[0] = static_cast<double>(executor.output("loss_sum")[0]);
  sums[1] = has_correct_ ? static_cast<double>(executor.output("correct_sum")[0]) : 0.0;
}

bool StepEngine::round_folded(int round) const {
  const int parts = running_->plans->fold.ops(round).empty() ? 1 : job_.threads;
  const int buckets = exchange_->buckets();
  for (int b = 0; b < buckets; ++b) {
    if (running_->cell(round, b, buckets).folded.load(std::memory_order_acquire) < parts) {
      return false;
    }
  }
  return true;
}

void StepEngine::move_messages() {
  if (communicator_.size() == 1) {
    return;
  }
  if (const std::unique_lock lock(exchange_mutex_, std::try_to_lock); lock.owns_lock()) {
    for (int b = 0; b < exchange_->buckets(); ++b) {
      if (!exchange_->poll(b, OrderedExchange::Stage::arrived) || !exchange_->poll(b, OrderedExchange::Stage::sent)) {
        return;  // asking for one that is under way moves all
      }
    }
  }
}

bool StepEngine::fold_something(int thread, int round) {
  const FoldPlan& fold = running_->plans->fold;
  const std::span<const SumOp> ops = fold.ops(round);
  const int buckets = exchange_->buckets();
  const int parts = ops.empty() ? 1 : job_.threads;
  for (int b = 0; b < buckets; ++b) {
    Cell& cell = running_->cell(round, b, buckets);
    if (cell.arrived.load(std::memory_order_acquire) < running_->active[static_cast<std::size_t>(round)]) {
      return false;  // buckets are finished in order
    }
    if (cell.claimed.load(std::memory_order_relaxed) >= parts) {
      continue;
    }
    const int part = cell.claimed.fetch_add(1, std::memory_order_relaxed);
    if (part >= parts) {
      continue;
    }
    fold_part(thread, b, part, parts, ops);
    if (cell.folded.fetch_add(1, std::memory_order_acq_rel) + 1 == parts && round + 1 == fold.rounds()) {
      bucket_complete(b);
    }
    return true;
  }
  return false;
}

void StepEngine::fold_part(int thread, int bucket, int part, int parts, std::span<const SumOp> ops) {
  if (ops.empty()) {
    return;
  }
  std::vector<float*>& at = lane_threads_[static_cast<std::size_t>(thread)].registers;
  for (const FlatRange& range : layout_.buckets[static_cast<std::size_t>(bucket)]) {
    const std::int64_t atoms = (range.end - range.begin + kAtom - 1) / kAtom;
    const std::int64_t begin = range.begin + atoms * part / parts * kAtom;
    const std::int64_t end = std::min(range.end, range.begin + atoms * (part + 1) / parts * kAtom);
    if (begin >= end) {
      continue;
    }
    for (std::size_t r = 0; r < registers_.size(); ++r) {
      at[r] = registers_[r] + begin;
    }
    run_sums<float>(ops, at.data(), static_cast<std::size_t>(end - begin));
  }
}

void StepEngine::bucket_complete(int bucket) {
  const std::lock_guard lock(exchange_mutex_);
  exchange_->bucket_ready(bucket, running_->partials);
}

StepSums StepEngine::exchange_sums(std::span<const int> lane_samples, bool stop) {
  std::copy(lane_sums_.begin(), lane_sums_.end(), gather_mine_.begin() + 1);
  gather_mine_[0] = stop ? 1 : 0;
  communicator_.all_gather(std::as_bytes(std::span(gather_mine_)), std::as_writable_bytes(std::span(gather_all_)),
                           {"gathering the losses", static_cast<std::int64_t>(running_->context.step)});
  StepSums sums;
  for (std::size_t w = 0; w < runs_.size(); ++w) {
    const double* block = gather_all_.data() + w * gather_mine_.size();
    sums.asked_to_stop = sums.asked_to_stop || block[0] > 0;
    std::copy_n(block + 1, 2 * runs_[w].size(), sums_in_order_.begin() + 2 * runs_[w].begin);
  }
  std::array<double, 2> total{};
  sum_lanes(sums_in_order_, lane_samples, total);
  sums.loss = total[0];
  sums.correct = total[1];
  for (const int samples : lane_samples) {
    sums.samples += samples;
  }
  return sums;
}

void StepEngine::update_pieces(int thread) {
  float* const parameters = parameters_.data();
  for (int b = 0; b < exchange_->buckets(); ++b) {
    Backoff backoff;
    while (true) {
      if (team_.failed()) {
        return;
      }
      if (std::unique_lock lock(exchange_mutex_, std::try_to_lock);
          lock.owns_lock() && exchange_->poll(b, OrderedExchange::Stage::arrived)) {
        break;
      }
      backoff.pause();
    }
    float* state = momentum_[static_cast<std::size_t>(b)][static_cast<std::size_t>(thread)].data();
    exchange_->sum_piece(b, thread, [&](const Atom& atom, const float* sum) {
      update_atom(layout_.tensors[static_cast<std::size_t>(atom.tensor)], sgd_, running_->rate, atom.count, sum, state,
                  parameters + atom.offset);
      state += atom.count;
    });
    if (running_->pieces[static_cast<std::size_t>(b)].fetch_sub(1, std::memory_order_acq_rel) == 1) {
      const std::lock_guard lock(exchange_mutex_);
      exchange_->publish(b, parameters);
    }
  }
}

void StepEngine::evaluate(const StepBatch& batch, std::span<const Field> fields, const StepContext& context, std::span<double> per_lane) {
  prepare("evaluate", batch);
  std::atomic<std::size_t> next{0};
  team_.run([&](int thread) {
    LaneThread& own = lane_threads_[static_cast<std::size_t>(thread)];
    for (std::size_t i = next++; i < batch.lanes.size(); i = next++) {
      const LaneBatch& lane = batch.lanes[i];
      if (lane.samples == 0) {
        continue;
      }
      CpuExecutor& executor = *own.executors.at({"evaluate", lane.samples});
      bind(own, executor.plan(), lane, fields, batch.samples);
      executor.run({own.inputs, own.scalars, parameters_.data(), nullptr}, context);
      per_lane[2 * i] += static_cast<double>(executor.output("loss_sum")[0]);
      per_lane[2 * i + 1] += has_correct_ ? static_cast<double>(executor.output("correct_sum")[0]) : 0.0;
    }
  });
}

StepSums StepEngine::sum_evaluation(std::span<const double> per_lane, std::int64_t samples) {
  std::copy(per_lane.begin(), per_lane.end(), lane_sums_.begin());
  const std::vector<int> all(static_cast<std::size_t>(job_.lanes), 1);  // an empty lane adds an exact 0 to sums that are not negative
  StepSums sums = exchange_sums(all, false);
  sums.samples = samples;
  return sums;
}

}  // namespace lockstep
