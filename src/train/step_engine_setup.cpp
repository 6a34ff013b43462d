#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "data/sha256.hpp"
#include "runtime/philox.hpp"
#include "train/parameters.hpp"
#include "train/step_engine.hpp"
#include "train/step_state.hpp"

namespace lockstep {
namespace {

/// A bucket's ranges as atoms; none spans two tensors.
std::vector<std::vector<Atom>> atoms_of(const FlatLayout& layout) {
  std::vector<std::vector<Atom>> buckets;
  for (const std::vector<FlatRange>& ranges : layout.buckets) {
    std::vector<Atom>& atoms = buckets.emplace_back();
    for (const FlatRange& range : ranges) {
      for (std::size_t t = 0; t < layout.tensors.size(); ++t) {
        const FlatTensor& tensor = layout.tensors[t];
        const std::int64_t begin = std::max(range.begin, tensor.offset);
        const std::int64_t end = std::min(range.end, tensor.offset + tensor.count);
        for (std::int64_t at = begin; at < end; at += kAtom) {
          atoms.push_back({at, static_cast<std::int32_t>(std::min(kAtom, end - at)), static_cast<std::int32_t>(t)});
        }
      }
    }
  }
  return buckets;
}

Graph lane_graph(const Model& model, const std::string& program, std::int64_t lane_size) {
  const Graph graph = model.program(program).rebatch(lane_size);
  return program == "train" ? train_lane_graph(graph) : evaluate_lane_graph(graph);
}

}  // namespace

StepEngine::StepEngine(Communicator& communicator, const Model& model, const JobShape& job, std::int64_t lane_size, const Sgd& sgd)
    : communicator_(communicator),
      model_(model),
      job_(job),
      lane_size_(lane_size),
      sgd_(sgd),
      runs_(deal_lanes(job.lanes, job.threads_per_worker)),
      lane_threads_(static_cast<std::size_t>(job.threads)),
      team_(job.threads) {
  layout_ = flat_layout(lane_graph(model_, "train", lane_size));
  has_correct_ = model.program("train").has_output("correct");
  parameters_ = AlignedFloats(static_cast<std::size_t>(layout_.size));
  exchange_ =
      std::make_unique<OrderedExchange>(communicator_, job_.threads_per_worker, partials_per_worker(runs_, job_.reduce), atoms_of(layout_));

  const std::vector<int> full(static_cast<std::size_t>(job_.lanes), 1);
  const FoldPlan fold(lanes(), job_.threads, full, job_.reduce);
  for (LaneThread& thread : lane_threads_) {
    thread.gradients = AlignedFloats(static_cast<std::size_t>(layout_.size));
    registers_.push_back(thread.gradients.data());
  }
  for (int s = 0; s < fold.slots(); ++s) {
    slots_.emplace_back(static_cast<std::size_t>(layout_.size));
    registers_.push_back(slots_.back().data());
  }
  for (LaneThread& thread : lane_threads_) {
    thread.registers.resize(registers_.size());
  }
  for (int b = 0; b < exchange_->buckets(); ++b) {
    std::vector<AlignedFloats>& bucket = momentum_.emplace_back();
    for (int t = 0; t < job_.threads; ++t) {
      std::size_t count = 0;
      for (const Atom& atom : exchange_->piece(b, t)) {
        count += static_cast<std::size_t>(atom.count);
      }
      bucket.emplace_back(count);
    }
  }

  std::size_t most_lanes = 0;
  for (const LaneRange& run : runs_) {
    most_lanes = std::max(most_lanes, static_cast<std::size_t>(run.size()));
  }
  lane_sums_.resize(2 * static_cast<std::size_t>(lanes().size()));
  gather_mine_.resize(1 + 2 * most_lanes);
  gather_all_.resize(gather_mine_.size() * runs_.size());
  sums_in_order_.resize(2 * static_cast<std::size_t>(job_.lanes));

  running_ = std::make_unique<Running>();
  running_->active.resize(static_cast<std::size_t>(fold.rounds()));
  running_->cells = std::make_unique<Cell[]>(static_cast<std::size_t>(fold.rounds() * exchange_->buckets()));
  running_->pieces = std::make_unique<std::atomic<int>[]>(static_cast<std::size_t>(exchange_->buckets()));
  running_->partials.resize(fold.partials().size());
  for (int t = 0; t < job_.threads; ++t) {
    executor(t, "train", lane_size);
  }
}

StepEngine::~StepEngine() = default;

const Plan& StepEngine::plan(const std::string& program, std::int64_t lane_size) {
  std::unique_ptr<Plan>& plan = plans_[{program, lane_size}];
  if (!plan) {
    plan = std::make_unique<Plan>(compile(lane_graph(model_, program, lane_size), layout_));
    for (const std::string& scalar : plan->scalars) {
      if (scalar != kInverseBatch && scalar != kLaneShare) {
        throw UsageError(fmt::format("the model asks for the scalar '{}'; there are {} and {}", scalar, kInverseBatch, kLaneShare));
      }
    }
  }
  return *plan;
}

CpuExecutor& StepEngine::executor(int thread, const std::string& program, std::int64_t lane_size) {
  LaneThread& own = lane_threads_[static_cast<std::size_t>(thread)];
  std::unique_ptr<CpuExecutor>& executor = own.executors[{program, lane_size}];
  if (!executor) {
    const Plan& needed = plan(program, lane_size);
    executor = std::make_unique<CpuExecutor>(needed, own.arena);
    own.inputs.resize(std::max(own.inputs.size(), needed.inputs.size()));
    own.scalars.resize(std::max(own.scalars.size(), needed.scalars.size()));
  }
  return *executor;
}

void StepEngine::prepare(const std::string& program, const StepBatch& batch) {
  for (const LaneBatch& lane : batch.lanes) {
    if (lane.samples > 0) {
      for (int t = 0; t < job_.threads; ++t) {
        executor(t, program, lane.samples);
      }
    }
  }
}

StepEngine::StepPlans& StepEngine::step_plans(std::span<const int> lane_samples) {
  const auto same = [](int samples, bool used) { return (samples > 0) == used; };
  for (const auto& [used, plans] : step_plans_) {
    if (std::ranges::equal(lane_samples, used, same)) {
      return *plans;
    }
  }
  std::vector<bool> used(lane_samples.size());
  std::transform(lane_samples.begin(), lane_samples.end(), used.begin(), [](int samples) { return samples > 0; });
  step_plans_.emplace_back(std::move(used),
                           std::make_unique<StepPlans>(StepPlans{FoldPlan(lanes(), job_.threads, lane_samples, job_.reduce),
                                                                 RestPlan(runs_, lane_samples, job_.reduce)}));
  return *step_plans_.back().second;
}

std::vector<float> StepEngine::gather_momentum() {
  std::vector<float> flat(static_cast<std::size_t>(layout_.size));
  for (int b = 0; b < exchange_->buckets(); ++b) {
    for (int t = 0; t < job_.threads; ++t) {
      const float* from = momentum_[static_cast<std::size_t>(b)][static_cast<std::size_t>(t)].data();
      for (const Atom& atom : exchange_->piece(b, t)) {
        std::copy_n(from, atom.count, flat.begin() + atom.offset);
        from += atom.count;
      }
    }
    exchange_->publish(b, flat.data());
  }
  exchange_->finish();
  return flat;
}

void StepEngine::set_momentum(std::span<const float> flat) {
  for (int b = 0; b < exchange_->buckets(); ++b) {
    for (int t = 0; t < job_.threads; ++t) {
      float* to = momentum_[static_cast<std::size_t>(b)][static_cast<std::size_t>(t)].data();
      for (const Atom& atom : exchange_->piece(b, t)) {
        std::copy_n(flat.begin() + atom.offset, atom.count, to);
        to += atom.count;
      }
    }
  }
}

std::string StepEngine::fingerprint(std::span<const Field> fields) {
  const std::int64_t samples = lane_size_;
  CpuExecutor& executor = this->executor(0, "train", samples);
  LaneBatch lane{0, samples, 0, {}, nullptr, nullptr, nullptr};
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
  const std::vector<float> kept(parameters_.span().begin(), parameters_.span().end());
  initialise(layout_, 0, parameters_.span());
  LaneThread& own = lane_threads_[0];
  bind(own, executor.plan(), lane, fields, samples);
  executor.run({own.inputs, own.scalars, parameters_.data(), own.gradients.data()}, {});
  Sha256 hash;
  hash.update(std::as_bytes(std::span(executor.output("loss_sum"), 1)));
  for (const FlatTensor& tensor : layout_.tensors) {
    hash.update(std::as_bytes(std::span(own.gradients.data() + tensor.offset, static_cast<std::size_t>(tensor.count))));
  }
  std::ranges::copy(kept, parameters_.data());
  std::string text;
  for (const std::byte byte : hash.finish()) {
    text += fmt::format("{:02x}", static_cast<unsigned>(byte));
  }
  return text;
}

std::string StepEngine::first_non_finite(const LaneBatch& lane, std::span<const Field> fields, const StepContext& context,
                                         std::int64_t batch_samples) {
  LaneThread& own = lane_threads_[0];
  CpuExecutor& executor = this->executor(0, "train", lane.samples);
  bind(own, executor.plan(), lane, fields, batch_samples);
  StepContext at = context;
  at.first_row = static_cast<std::uint64_t>(lane.first_row);
  const auto label = executor.find_non_finite({own.inputs, own.scalars, parameters_.data(), own.gradients.data()}, at);
  return label ? fmt::format("{} in lane {}", *label, lane.lane) : "";
}

void StepEngine::diverge(const StepBatch& batch, std::span<const Field> fields, const StepContext& context) {
  std::string found;
  for (const FlatTensor& tensor : layout_.tensors) {
    const auto values = parameters_.span().subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.count));
    if (found.empty() && !std::ranges::all_of(values, [](float v) { return std::isfinite(v); })) {
      found = fmt::format("the update of {} in the step before", tensor.name);
    }
  }
  for (const LaneBatch& lane : batch.lanes) {
    found = found.empty() && lane.samples > 0 ? first_non_finite(lane, fields, context, batch.samples) : found;
  }
  constexpr std::size_t kLongest = 256;
  std::array<char, kLongest> mine{};
  std::memcpy(mine.data(), found.data(), std::min(found.size(), kLongest - 1));
  std::vector<char> all(kLongest * runs_.size());
  communicator_.all_gather(std::as_bytes(std::span(mine)), std::as_writable_bytes(std::span(all)),
                           {"looking for the first NaN", static_cast<std::int64_t>(context.step)});
  for (std::size_t w = 0; w < runs_.size(); ++w) {
    const std::string theirs(all.data() + w * kLongest);
    if (!theirs.empty()) {
      throw Diverged(
          fmt::format("step {}: the loss is no longer a finite number; the first one that was not came from {}.\n"
                      "  A smaller --lr is the usual cure. The last checkpoint, if there is one, is kept.",
                      context.step, theirs));
    }
  }
  throw Diverged(fmt::format("step {}: the loss is no longer a finite number: the sum over the lanes overflowed.", context.step));
}

}  // namespace lockstep
