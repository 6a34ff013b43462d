#include "train/step_engine.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;
double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// In a handler: throws again what a kernel call has thrown, and names the op.
[[noreturn]] void name_op(const std::string& op, int lane) {
  try {
    throw;
  } catch (const std::bad_alloc&) {
    throw Error(ExitCode::worker_lost, fmt::format("out of memory in {} of lane {}.", op, lane));
  } catch (const Error& error) {
    throw Error(error.code(), fmt::format("{} of lane {}: {}", op, lane, error.what()));
  } catch (const std::exception& error) {
    throw std::runtime_error(fmt::format("{} of lane {}: {}", op, lane, error.what()));
  }
}

}  // namespace

StepSums StepEngine::train(const StepBatch& batch, std::span<const Field> fields, std::span<const int> lane_samples,
                           const StepContext& context, double rate, Wish wish) {
  const auto start = Clock::now();
  const double waited = times_.waiting;
  prepare("train", batch);
  if (set_) {
    flow_->meet();
    set_ = false;
  }
  flow_->begin_step(lane_samples, static_cast<std::int64_t>(context.step), wish);
  running_.batch = &batch;
  running_.fields = fields;
  running_.context = context;
  running_.rates[flow_->first() / flow_->buckets() % 2] = updater_->rates(rate, context.step);
  running_.traced = trace_ != nullptr && context.step >= trace_->from && context.step < trace_->to;
  if (running_.traced && trace_->first == 0) {
    trace_->first = TraceTrack::nanoseconds(start);
  }
  settled_ = false;
  team_.run([this](int thread) { run_seat(thread); });
  if (verdict(seats_[0]) == Verdict::diverged) {
    diverge(batch, fields, context);
  }
  times_.compute += seconds_since(start) - (times_.waiting - waited);
  std::array<double, 2> total{};
  sum_lanes(flow_->all_sums(), total);
  return {.loss = total[0], .correct = total[1], .samples = batch.samples, .wish = flow_->wish()};
}

void StepEngine::run_seat(int thread) {
  Seat& seat = seats_[static_cast<std::size_t>(thread)];
  seat.posted = 0;
  seat.verdict = Verdict::unknown;
  seat.scaled = updater_->rounds() == 0;
  const LaneRange run = flow_->run(thread);
  for (int begin = run.begin; begin < run.end; begin += lanes_at_once_) {
    const LaneRange lanes{begin, std::min(run.end, begin + lanes_at_once_)};
    if (!run_lanes(thread, lanes, lanes.end == run.end)) {
      return;
    }
  }
  if (run.size() == 0) {
    flow_->post_sums(thread);
  }
  post(thread, flow_->buckets());
  if (!await(thread, -1, [&] { return flow_->sums_ready(); }) || verdict(seat) == Verdict::diverged || !measure(thread)) {
    return;
  }
  // Others write to the ring until all but its last buckets are settled, which takes this thread's pieces; and one step is left open at
  // most.
  const std::int64_t last = flow_->waits_for(flow_->first() + flow_->buckets() - 1);
  for (std::int64_t q = std::max<std::int64_t>(0, flow_->first() - flow_->buckets()); q <= last; ++q) {
    if (!await(thread, q, [&] { return flow_->settled(q); })) {
      return;
    }
  }
  while (work(thread)) {
  }
}

/// Runs some lanes of a thread, one kernel call of all of them after the other, so that weights stay in the cache.
bool StepEngine::run_lanes(int thread, LaneRange lanes, bool last) {
  Seat& seat = seats_[static_cast<std::size_t>(thread)];
  const FoldPlan& fold = flow_->fold(thread);
  const std::span runs(seat.lanes.data(), static_cast<std::size_t>(lanes.size()));
  for (int lane = lanes.begin; lane < lanes.end; ++lane) {
    LaneRun& run = runs[static_cast<std::size_t>(lane - lanes.begin)];
    run.executor = nullptr;
    if (const LaneBatch& batch = running_.batch->lanes[static_cast<std::size_t>(lane - this->lanes().begin)]; batch.samples > 0) {
      bind(run, seat, "train", batch, running_.fields, running_.batch->samples, running_.context);
      for (int b = 0; b < flow_->buckets(); ++b) {
        run.buckets[static_cast<std::size_t>(b)] = flow_->buffer(thread, fold.target(lane), b);
      }
      run.binding.buckets = run.buckets;
    } else {
      std::ranges::fill(flow_->lane_sums(lane), 0.0);
    }
  }
  bool summed = false;
  for (bool more = true; more;) {
    more = false;
    int done = flow_->buckets();
    bool all_summed = true;
    const LaneRun* before = nullptr;
    for (LaneRun& run : runs) {
      if (run.executor == nullptr) {
        continue;
      }
      const LaneRun* const ahead = std::exchange(before, &run);
      if (run.at == run.executor->steps()) {
        continue;
      }
      if (run_call(thread, run, ahead) == Turn::abandoned) {
        return false;
      }
      more = more || run.at < run.executor->steps();
      done = std::min(done, run.done);
      all_summed = all_summed && run.at > run.executor->plan().outputs_at;
    }
    if (last && !summed && all_summed) {
      flow_->post_sums(thread);
      summed = true;
    }
    if (last && more) {
      post(thread, done);
    }
    work(thread);
  }
  return true;
}

StepEngine::Turn StepEngine::run_call(int thread, LaneRun& run, const LaneRun* ahead) {
  const PlanStep& step = run.executor->step(run.at);
  if (step.opens >= 0 && ahead != nullptr && ahead->written <= run.written) {
    return Turn::passed;  // what it writes is added to what the lane before it wrote; a plan for fewer samples may have fewer calls
  }
  const std::int64_t first = flow_->first(), before = first - flow_->buckets();
  if (before >= 0) {
    for (const int b : step.needs) {
      if (!await(thread, before + b, [&] { return flow_->settled(before + b); })) {
        return Turn::abandoned;
      }
    }
  }
  for (const Place& place : step.out) {
    const std::int64_t q = first + place.bucket;
    if (place.zone != Place::Zone::gradients || flow_->may_write(q)) {
      continue;
    }
    if (flow_->waits_for(q) >= first + seats_[static_cast<std::size_t>(thread)].posted) {
      return Turn::passed;  // another lane of this thread must come so far first
    }
    if (!await(thread, flow_->waits_for(q), [&] { return flow_->may_write(q); })) {
      return Turn::abandoned;
    }
  }
  {
    const Traced traced(running_.traced ? &trace_->lanes[static_cast<std::size_t>(run.lane - lanes().begin)] : nullptr, step.label,
                        run.context.step);
    try {
      run.executor->run_step(run.at, run.binding, run.context);
    } catch (...) {
      name_op(step.label, run.lane);
    }
    fold(thread, run, step);
  }
  run.written += step.opens >= 0 ? 1 : 0;
  run.done = std::max(run.done, step.buckets_done);
  if (run.at++ == run.executor->plan().outputs_at) {
    const std::span<double> sums = flow_->lane_sums(run.lane);
    std::ranges::fill(sums, 0.0);
    add_sums(run, sums);
  }
  return Turn::ran;
}

/// Adds [loss, correct] of a lane that has run.
void StepEngine::add_sums(const LaneRun& run, std::span<double> sums) const {
  sums[0] += static_cast<double>(run.executor->output("loss_sum", run.binding.arena)[0]);
  if (has_correct_) {
    sums[1] += static_cast<double>(run.executor->output("correct_sum", run.binding.arena)[0]);
  }
}

/// Adds what a kernel call has written of a lane's gradient to the sums that it completes.
void StepEngine::fold(int thread, const LaneRun& run, const PlanStep& step) {
  const std::span<const SumOp> ops = flow_->fold(thread).ops(run.lane);
  if (step.opens < 0 || ops.empty()) {
    return;
  }
  std::vector<float*>& at = seats_[static_cast<std::size_t>(thread)].registers;
  for (std::size_t o = 0; o < step.out.size(); ++o) {
    const Place& place = step.out[o];
    if (place.zone == Place::Zone::gradients) {
      for (std::size_t r = 0; r < at.size(); ++r) {
        at[r] = flow_->buffer(thread, static_cast<int>(r), place.bucket) + place.at;
      }
      run_sums<float>(ops, at.data(), static_cast<std::size_t>(step.out_types[o].elements()));
    }
  }
}

void StepEngine::post(int thread, int buckets) {
  Seat& seat = seats_[static_cast<std::size_t>(thread)];
  if (buckets > seat.posted) {
    seat.posted = buckets;
    flow_->post(thread, flow_->first() + buckets);
  }
}

/// Works on what there is until `ready`. False when the step cannot be finished: another thread failed, or the loss is not finite.
template <class Ready>
bool StepEngine::await(int thread, std::int64_t q, Ready ready) {
  if (ready()) {
    return true;
  }
  Seat& seat = seats_[static_cast<std::size_t>(thread)];
  Waiting waiting{.what = {}};
  Backoff backoff;
  const auto start = Clock::now();
  double worked = 0;
  bool is_ready = false;
  auto idle = start;
  const std::uint64_t step = q < 0 ? running_.context.step : step_of(q);
  TraceTrack* const track = network_track(thread, step);
  const auto note = [&](Clock::time_point end) {
    if (track != nullptr) {
      track->add(q < 0 ? "wait for losses" : "wait for bucket", q < 0 ? -1 : static_cast<int>(q % flow_->buckets()), step, idle, end);
    }
  };
  while (!(is_ready = ready()) && !team_.failed() && verdict(seat) != Verdict::diverged) {
    const auto look = Clock::now();
    const bool moved = work(thread);
    waiting.looked(moved);
    if (moved) {
      worked += seconds_since(look);
      backoff = {};
      note(look);
      idle = Clock::now();
      continue;
    }
    backoff.pause();
    if (waiting.silent > communicator_.longest_silence()) {
      flow_->name_the_silent(q);
    }
  }
  note(Clock::now());
  if (thread == 0) {
    times_.waiting += seconds_since(start) - worked;
  }
  return is_ready;
}

bool StepEngine::work(int thread) {
  const bool moved = flow_->progress(thread);
  Seat& seat = seats_[static_cast<std::size_t>(thread)];
  const bool updates = verdict(seat) == Verdict::finite && seat.scaled;
  if (const auto q = flow_->claim(thread, flow_->first() + (updates ? flow_->buckets() : 0))) {
    update_piece(thread, *q);
    return true;
  }
  return moved;
}

StepEngine::Verdict StepEngine::verdict(Seat& seat) const {
  if (seat.verdict == Verdict::unknown && flow_->sums_ready()) {
    std::array<double, 2> total{};
    sum_lanes(flow_->all_sums(), total);
    seat.verdict = std::isfinite(total[0]) ? Verdict::finite : Verdict::diverged;
  }
  return seat.verdict;
}

/// Calls visit(atom as the updater sees it) for the sums of this thread's piece of bucket q.
template <class Visit>
void StepEngine::for_each_sum(int thread, std::int64_t q, Visit visit) {
  Seat& seat = seats_[static_cast<std::size_t>(thread)];
  float* state = seat.state[static_cast<std::size_t>(q % flow_->buckets())].data();
  float* const parameters = flow_->parameters().data();
  const auto consume = [&](const Atom& atom, const float* sum) {
    visit(Updater::At{atom, sum, parameters + atom.offset, state, seat.direction.data()});
    state += states() * atom.count;
  };
  flow_->sum_piece(thread, q, std::cref(consume));
}

/// The rounds of sums over all atoms that the update needs first. False when the step cannot be finished.
bool StepEngine::measure(int thread) {
  Seat& seat = seats_[static_cast<std::size_t>(thread)];
  const StepRates& now = running_.rates[flow_->first() / flow_->buckets() % 2];
  const std::int64_t end = flow_->first() + flow_->buckets();
  for (int round = 0; round < updater_->rounds(); ++round) {
    const std::span<double> sums = flow_->atom_sums(round);
    for (std::int64_t q = flow_->first(); q < end; ++q) {
      if (!await(thread, q, [&] { return flow_->arrived(q); })) {
        return false;
      }
      const auto bucket = static_cast<int>(q % flow_->buckets());
      const Traced traced(network_track(thread, step_of(q)), "sum and measure bucket", step_of(q), bucket);
      const Atom* const first = flow_->pieces().atoms(bucket).data();
      for_each_sum(thread, q, [&](const Updater::At& at) {
        const std::size_t place = flow_->first_atom(bucket) + static_cast<std::size_t>(&at.atom - first);
        updater_->measure(round, at, now, seat.scales, sums.data() + GradientFlow::kAtomSums * place);
      });
    }
    flow_->post_atom_sums(thread, round);
    if (!await(thread, end - 1, [&] { return flow_->atom_sums_ready(round); })) {
      return false;
    }
    updater_->scale(round, sums, seat.scales);
  }
  seat.scaled = true;
  return true;
}

void StepEngine::update_piece(int thread, std::int64_t q) {
  const StepRates& now = running_.rates[q / flow_->buckets() % 2];
  const StepScales& scales = seats_[static_cast<std::size_t>(thread)].scales;
  const Traced traced(network_track(thread, step_of(q)), "sum and update bucket", step_of(q), q % flow_->buckets());
  const auto start = thread == 0 ? Clock::now() : Clock::time_point();
  for_each_sum(thread, q, [&](const Updater::At& at) { updater_->update(at, now, scales); });
  flow_->updated(thread, q);
  if (thread == 0) {
    times_.update += seconds_since(start);
  }
}

TraceTrack* StepEngine::network_track(int thread, std::uint64_t step) const {
  TraceTrack* const track = trace_ != nullptr ? &trace_->network[static_cast<std::size_t>(thread)] : nullptr;
  return track != nullptr && track->covers(step) ? track : nullptr;
}

double StepEngine::gradient_norm() const {
  return updater_->measures_norm() ? seats_[0].scales.norm : std::numeric_limits<double>::quiet_NaN();
}

void StepEngine::settle() {
  if (settled_) {
    return;
  }
  team_.run([this](int thread) {
    const std::int64_t end = flow_->first() + flow_->buckets();
    for (std::int64_t q = flow_->first(); q < end; ++q) {
      if (!await(thread, q, [&] { return flow_->settled(q); })) {
        return;
      }
    }
  });
  settled_ = true;
}

void StepEngine::evaluate(const StepBatch& batch, std::span<const Field> fields, const StepContext& context, std::span<double> per_lane) {
  settle();
  prepare("evaluate", batch);
  const auto labels = static_cast<std::size_t>(std::ranges::find(fields, metrics_.labels(), &Field::name) - fields.begin());
  const std::size_t width = evaluation_width();
  std::atomic<std::size_t> next{0};
  team_.run([&](int thread) {
    Seat& seat = seats_[static_cast<std::size_t>(thread)];
    LaneRun& run = seat.lanes[0];
    for (std::size_t i = next++; i < batch.lanes.size(); i = next++) {
      const LaneBatch& lane = batch.lanes[i];
      if (lane.samples == 0) {
        continue;
      }
      bind(run, seat, "evaluate", lane, fields, batch.samples, context);
      run.executor->run(run.binding, run.context);
      add_sums(run, per_lane.subspan(width * i, 2));
      if (!metrics_.output().empty()) {
        const float* const outputs = run.executor->output(metrics_.output(), run.binding.arena);
        metrics_.add(outputs, lane.fields[labels], lane.samples, per_lane.subspan(width * i + 2, width - 2));
      }
    }
  });
}

StepSums StepEngine::sum_evaluation(std::span<const double> per_lane, std::int64_t samples) {
  const std::size_t width = evaluation_width();
  std::size_t most = 0;
  for (const LaneRange& run : flow_->runs()) {
    most = std::max(most, width * static_cast<std::size_t>(run.size()));
  }
  std::vector<double> mine(most), all(most * flow_->runs().size()), in_order, total(width);
  std::ranges::copy(per_lane, mine.begin());
  communicator_.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)), {.what = "adding up an evaluation"});
  for (std::size_t w = 0; w < flow_->runs().size(); ++w) {
    const double* block = all.data() + w * most;
    in_order.insert(in_order.end(), block, block + width * static_cast<std::size_t>(flow_->runs()[w].size()));
  }
  sum_lanes(in_order, total);
  return {.loss = total[0], .correct = total[1], .samples = samples, .metrics = {total.begin() + 2, total.end()}};
}

}  // namespace lockstep
