#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <tuple>

#include "data/sha256.hpp"
#include "runtime/philox.hpp"
#include "train/parameters.hpp"
#include "train/step_engine.hpp"

namespace lockstep {
namespace {

constexpr int kRing = 4;  ///< buckets that a thread may have open at once

Graph lane_graph(const Model& model, const std::string& program, std::int64_t lane_size) {
  const Graph graph = model.program(program).rebatch(lane_size);
  return program == "train" ? train_lane_graph(graph) : evaluate_lane_graph(graph);
}

/// Whether lanes of both plans may run side by side: a lane's gradient is added to the one before it call by call, so all must write the
/// same parts in the same order.
bool in_step(const Plan& a, const Plan& b) {
  const auto gradients = [](const Plan& plan) {
    std::vector<std::vector<std::tuple<std::size_t, int, std::int64_t>>> calls;
    for (const PlanStep& step : plan.segments[0].steps) {
      if (step.opens < 0) {
        continue;
      }
      calls.emplace_back();
      for (std::size_t o = 0; o < step.out.size(); ++o) {
        if (step.out[o].zone == Place::Zone::gradients) {
          calls.back().emplace_back(step.out[o].at, step.out[o].bucket, step.out_types[o].elements());
        }
      }
    }
    return calls;
  };
  return a.ring >= b.ring && gradients(a) == gradients(b);
}

}  // namespace

StepEngine::StepEngine(Communicator& communicator, const Model& model, const JobShape& job, std::int64_t lane_size, const Recipe& recipe)
    : communicator_(communicator),
      model_(model),
      job_(job),
      lane_size_(lane_size),
      metrics_(model, job.top_k, job.label_scale),
      per_lane_(job.threads_per_worker.size()),
      team_(job.threads, job.cores) {
  layout_ = flat_layout(lane_graph(model_, "train", lane_size));
  updater_.emplace(layout_, recipe);
  has_correct_ = model.program("train").has_output("correct");
  set_up();
}

/// What depends on which lanes this worker has.
void StepEngine::set_up() {
  const Plan& full = plan("train", lane_size_);

  // As many lanes at once as have room; the gradients of those that finish early then wait in buffers as large as the model.
  std::size_t most_lanes = 1;
  const std::vector<LaneRange> runs = deal_lanes(job_.lanes, job_.shares.empty() ? job_.threads_per_worker : job_.shares);
  for (std::size_t w = 0; w < runs.size(); ++w) {
    const int threads = job_.threads_per_worker[w];
    most_lanes = std::max(most_lanes, static_cast<std::size_t>((runs[w].size() + threads - 1) / threads));
  }
  const auto buckets = static_cast<int>(layout_.buckets.size());
  GradientFlow::Job shape{job_.lanes,   job_.threads_per_worker,    job_.reduce,        updater_->atoms(),
                          layout_.size, std::max(kRing, full.ring), updater_->rounds(), job_.shares};
  lanes_at_once_ =
      static_cast<int>(std::clamp<std::size_t>(job_.results_at_once / std::max<std::size_t>(1, full.arena_bytes), 1, most_lanes));
  shape.ring = lanes_at_once_ < static_cast<int>(most_lanes) || shape.rounds > 0 ? buckets : shape.ring;
  flow_ = GradientFlow::create(communicator_, std::move(shape), job_.share);
  seats_ = std::vector<Seat>(static_cast<std::size_t>(job_.threads));
  team_.run([this](int thread) { make_seat(thread); });
  prepare("train", lane_size_);
}

void StepEngine::deal_again(std::vector<int> shares) {
  const std::vector<float> values(parameters().begin(), parameters().end());
  std::vector<std::vector<float>> state;
  for (std::size_t i = 0; i < updater_->states().size(); ++i) {
    gather_state(i, state.emplace_back(values.size()));
  }
  job_.shares = std::move(shares);
  seats_.clear();
  flow_.reset();
  set_up();
  std::ranges::copy(values, set_parameters().begin());
  for (std::size_t i = 0; i < state.size(); ++i) {
    set_state(i, state[i]);
  }
}

const Plan& StepEngine::plan(const std::string& program, std::int64_t lane_size) {
  std::unique_ptr<Plan>& plan = plans_[{program, lane_size}];
  if (!plan) {
    plan = std::make_unique<Plan>(compile(lane_graph(model_, program, lane_size), layout_));
    for (const std::string& scalar : plan->scalars) {
      if (scalar != kInverseBatch && scalar != kLaneShare) {
        throw UsageError(fmt::format("the model asks for the scalar '{}'; there are {} and {}", scalar, kInverseBatch, kLaneShare));
      }
    }
    if (program == "train" && !in_step(*plans_.at({program, lane_size_}), *plan)) {
      throw UsageError(
          fmt::format("a lane of {} samples is computed in another order than one of {}, so that they cannot run side by side.\n"
                      "  The model treats the number of samples as more than a count; choose --batch and --lanes so that no step "
                      "has lanes of {}.",
                      lane_size, lane_size_, lane_size));
    }
  }
  return *plan;
}

/// Makes what a thread needs whatever it runs.
void StepEngine::make_seat(int thread) {
  Seat& seat = seats_[static_cast<std::size_t>(thread)];
  seat.lanes.resize(static_cast<std::size_t>(std::clamp(flow_->run(thread).size(), 1, lanes_at_once_)));
  for (LaneRun& run : seat.lanes) {
    run.buckets.resize(layout_.buckets.size());
  }
  const std::vector<int> all(static_cast<std::size_t>(job_.lanes), 1);
  seat.registers.resize(static_cast<std::size_t>(FoldPlan(flow_->run(thread), all, job_.reduce).buffers()));
  for (int b = 0; b < flow_->buckets(); ++b) {
    std::int64_t count = 0;
    for (const Atom& atom : flow_->pieces().piece(b, communicator_.rank(), thread)) {
      count += atom.count;
    }
    seat.state.emplace_back(static_cast<std::size_t>(1 + states() * count));
  }
  seat.direction = AlignedFloats(flow_->pieces().longest_atom());
  seat.scales = updater_->scales();
}

/// Makes the plan and the kernels for lanes of a size, where there are none yet.
void StepEngine::prepare(const std::string& program, std::int64_t lane_size) {
  if (lane_size == 0 || seats_[0].executors.contains({program, lane_size})) {
    return;
  }
  const Plan& needed = plan(program, lane_size);
  // Every thread makes what it uses, and so touches its memory first.
  team_.run([&](int thread) {
    Seat& seat = seats_[static_cast<std::size_t>(thread)];
    seat.executors[{program, lane_size}] = std::make_unique<CpuExecutor>(needed, seat.scratch);
    for (LaneRun& run : seat.lanes) {
      run.arena.reserve(needed.arena_bytes);
      run.inputs.resize(std::max(run.inputs.size(), needed.inputs.size()));
      run.scalars.resize(std::max(run.scalars.size(), needed.scalars.size()));
    }
  });
}

void StepEngine::prepare(const std::string& program, const StepBatch& batch) {
  for (const LaneBatch& lane : batch.lanes) {
    prepare(program, lane.samples);
  }
}

void StepEngine::bind(LaneRun& run, Seat& seat, const std::string& program, const LaneBatch& lane, std::span<const Field> fields,
                      std::int64_t batch_samples, const StepContext& context) {
  run.executor = seat.executors.find({program, lane.samples})->second.get();
  const Plan& plan = run.executor->plan();
  for (std::size_t i = 0; i < plan.inputs.size(); ++i) {
    const auto field = std::ranges::find(fields, plan.inputs[i].name, &Field::name);
    run.inputs[i] = lane.fields[static_cast<std::size_t>(field - fields.begin())];
  }
  for (std::size_t i = 0; i < plan.scalars.size(); ++i) {
    const auto whole = static_cast<float>(batch_samples);
    run.scalars[i] = plan.scalars[i] == kLaneShare ? static_cast<float>(lane.samples) / whole : 1.0F / whole;
  }
  run.binding = {run.inputs, run.scalars, flow_->parameters().data(), nullptr, {}, run.arena.data()};
  run.context = context;
  run.context.first_row = static_cast<std::uint64_t>(lane.first_row);
  run.lane = lane.lane;
  run.at = 0;
  run.written = 0;
  run.done = 0;
}

std::span<const float> StepEngine::parameters() {
  settle();
  return flow_->parameters();
}

std::span<float> StepEngine::set_parameters() {
  settle();
  set_ = true;
  return flow_->parameters();
}

void StepEngine::gather_state(std::size_t state, std::span<float> flat) {
  settle();
  const auto number = static_cast<std::int64_t>(state);
  for_each_atom([&](const Atom& atom, const float* at) { std::copy_n(at + number * atom.count, atom.count, flat.begin() + atom.offset); });
  gather_pieces(communicator_, flow_->pieces(), flat);
}

void StepEngine::set_state(std::size_t state, std::span<const float> flat) {
  settle();
  const auto number = static_cast<std::int64_t>(state);
  for_each_atom([&](const Atom& atom, float* at) { std::copy_n(flat.begin() + atom.offset, atom.count, at + number * atom.count); });
}

std::string StepEngine::fingerprint(std::span<const Field> fields) {
  const std::int64_t samples = lane_size_;
  LaneBatch lane{0, samples, 0, {}};
  std::vector<AlignedBytes> memory;
  for (const Field& field : fields) {
    const std::size_t count = static_cast<std::size_t>(samples * field.sample.elements());
    AlignedBytes& bytes = memory.emplace_back(count * sizeof(float));
    const PhiloxKey key = philox_key(0, "fingerprint", field.name);
    for (std::size_t i = 0; i < count; ++i) {
      const std::uint32_t word = philox({static_cast<std::uint32_t>(i), 0, 0, 0}, key)[0];
      if (field.dtype == DType::f32) {
        reinterpret_cast<float*>(bytes.data())[i] = 4 * unit_float(word) - 2;
      } else {
        reinterpret_cast<std::int32_t*>(bytes.data())[i] = static_cast<std::int32_t>(word >> 31);  // a valid class of any classifier
      }
    }
    lane.fields.push_back(bytes.data());
  }
  const AlignedFloats parameters(static_cast<std::size_t>(layout_.size)), gradients(static_cast<std::size_t>(layout_.size));
  initialise(layout_, 0, parameters.span());
  LaneRun& run = seats_[0].lanes[0];
  bind(run, seats_[0], "train", lane, fields, samples, {});
  run.binding.parameters = parameters.data();
  run.binding.gradients = gradients.data();
  const HeldSignals held;
  run.executor->run(run.binding, {});
  Sha256 hash;
  hash.update(std::as_bytes(std::span(run.executor->output("loss_sum", run.binding.arena), 1)));
  for (const FlatTensor& tensor : layout_.tensors) {
    hash.update(std::as_bytes(values_of(tensor, gradients.span())));
  }
  return hash.finish_hex();
}

std::string StepEngine::first_non_finite_in(const LaneBatch& lane, std::span<const Field> fields, const StepContext& context,
                                            std::int64_t batch_samples) {
  LaneRun& run = seats_[0].lanes[0];
  bind(run, seats_[0], "train", lane, fields, batch_samples, context);
  const AlignedFloats gradients(static_cast<std::size_t>(layout_.size));
  run.binding.gradients = gradients.data();
  const HeldSignals held;
  const auto label = run.executor->find_non_finite(run.binding, run.context);
  return label ? fmt::format("{} in lane {}", *label, lane.lane) : "";
}

void StepEngine::diverge(const StepBatch& batch, std::span<const Field> fields, const StepContext& context) {
  settled_ = true;  // nothing of this step will be
  flow_->abandon();
  const auto tensor = first_non_finite(layout_, flow_->parameters());
  std::string found = tensor ? fmt::format("the update of {} in the step before", *tensor) : "";
  for (const LaneBatch& lane : batch.lanes) {
    found = found.empty() && lane.samples > 0 ? first_non_finite_in(lane, fields, context, batch.samples) : found;
  }
  constexpr std::size_t kLongest = 256;
  std::array<char, kLongest> mine{};
  std::memcpy(mine.data(), found.data(), std::min(found.size(), kLongest - 1));
  std::vector<char> all(kLongest * flow_->runs().size());
  communicator_.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)),
                           {"looking for the first NaN", static_cast<std::int64_t>(context.step)});
  for (std::size_t w = 0; w < flow_->runs().size(); ++w) {
    const std::string theirs(all.data() + w * kLongest);
    if (!theirs.empty()) {
      throw Diverged(
          fmt::format("the loss is no longer a finite number; the first one that was not came from {}.\n"
                      "  A smaller --lr is the usual cure. The last checkpoint, if there is one, is kept.",
                      theirs));
    }
  }
  throw Diverged("the loss is no longer a finite number: the sum over the lanes overflowed.");
}

}  // namespace lockstep
