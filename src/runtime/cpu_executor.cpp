#include "runtime/cpu_executor.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

bool all_finite(const std::byte* data, const TensorType& type) {
  if (type.dtype != DType::f32) {
    return true;
  }
  const auto* values = reinterpret_cast<const float*>(data);
  return std::all_of(values, values + type.elements(), [](float v) { return std::isfinite(v); });
}

}  // namespace

Cost Plan::cost() const {
  Cost total;
  for (const Segment& segment : segments) {
    for (const PlanStep& step : segment.steps) {
      total.flops += step.cost.flops;
      total.bytes += step.cost.bytes;
    }
  }
  return total;
}

std::size_t Plan::steps() const {
  std::size_t count = 0;
  for (const Segment& segment : segments) {
    count += segment.steps.size();
  }
  return count;
}

CpuExecutor::CpuExecutor(const Plan& plan, AlignedBytes& scratch) : plan_(&plan), scratch_(&scratch) {
  std::size_t most_scratch = 0;
  for (const Segment& segment : plan.segments) {
    for (const PlanStep& step : segment.steps) {
      calls_.push_back({step.make(), &step});
      most_scratch = std::max(most_scratch, calls_.back().kernel->scratch_bytes());
      in_.resize(std::max(in_.size(), step.in.size()));
      out_.resize(std::max(out_.size(), step.out.size()));
    }
  }
  scratch.reserve(most_scratch);
}

const std::byte* CpuExecutor::resolve(const Place& place, const LaneBinding& binding) const {
  return start_of(place, binding) + place.skip;
}

const std::byte* CpuExecutor::start_of(const Place& place, const LaneBinding& binding) const {
  switch (place.zone) {
    case Place::Zone::arena:
      return (binding.arena != nullptr ? binding.arena : arena_.data()) + place.at;
    case Place::Zone::parameters:
      return reinterpret_cast<const std::byte*>(binding.parameters + place.at);
    case Place::Zone::gradients:
      return reinterpret_cast<const std::byte*>(
          (binding.buckets.empty() ? binding.gradients : binding.buckets[static_cast<std::size_t>(place.bucket)]) + place.at);
    case Place::Zone::input:
      return binding.inputs[place.at];
    case Place::Zone::scalar:
      return reinterpret_cast<const std::byte*>(&binding.scalars[place.at]);
    case Place::Zone::constant:
      return reinterpret_cast<const std::byte*>(&plan_->constants[place.at]);
  }
  return nullptr;
}

void CpuExecutor::run_step(std::size_t i, const LaneBinding& binding, const StepContext& context) {
  const PlanStep& step = *calls_[i].step;
  for (std::size_t k = 0; k < step.in.size(); ++k) {
    in_[k] = resolve(step.in[k], binding);
  }
  for (std::size_t k = 0; k < step.out.size(); ++k) {
    out_[k] = const_cast<std::byte*>(resolve(step.out[k], binding));  // outputs lie in the arena or in this lane's gradient only
  }
  calls_[i].kernel->run({{in_.data(), step.in.size()}, {out_.data(), step.out.size()}, scratch_->data(), context});
}

void CpuExecutor::run(const LaneBinding& binding, const StepContext& context) {
  arena_.reserve(binding.arena == nullptr ? plan_->arena_bytes : 0);
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    run_step(i, binding, context);
  }
}

std::optional<std::string> CpuExecutor::find_non_finite(const LaneBinding& binding, const StepContext& context) {
  arena_.reserve(binding.arena == nullptr ? plan_->arena_bytes : 0);
  for (std::size_t i = 0; i < calls_.size(); ++i) {
    run_step(i, binding, context);
    const PlanStep& step = *calls_[i].step;
    for (std::size_t k = 0; k < step.out.size(); ++k) {
      if (!all_finite(resolve(step.out[k], binding), step.out_types[k])) {
        return step.label;
      }
    }
  }
  return std::nullopt;
}

const float* CpuExecutor::output(std::string_view name, std::byte* arena) const {
  for (const PlanOutput& output : plan_->outputs) {
    if (output.name == name) {
      return reinterpret_cast<const float*>(resolve(output.place, {.arena = arena}));
    }
  }
  throw UsageError(fmt::format("the program has no output '{}'", name));
}

}  // namespace lockstep
