#include "comm/gradient_flow.hpp"

namespace lockstep {

GradientFlow::GradientFlow(Communicator& communicator, Job job)
    : communicator_(communicator),
      job_(std::move(job)),
      me_(communicator.rank()),
      threads_(job_.threads_per_worker[static_cast<std::size_t>(me_)]),
      pieces_(job_.threads_per_worker, job_.buckets),
      runs_(deal_lanes(job_.lanes, job_.shares.empty() ? job_.threads_per_worker : job_.shares)) {
  for (std::size_t w = 0; w < runs_.size(); ++w) {
    first_seat_ = static_cast<int>(w) == me_ ? seats_.size() : first_seat_;
    for (const LaneRange& run : deal_run(runs_[w], job_.lanes, job_.threads_per_worker[w]))
      seats_.push_back(run);
  }
  job_.ring = std::clamp(job_.ring, 1, std::max(1, buckets()));
  std::int64_t most = 0;
  first_atom_.push_back(0);
  for (int b = 0; b < buckets(); ++b) {
    most = std::max(most, pieces_.span(b).count);
    first_atom_.push_back(first_atom_.back() + pieces_.atoms(b).size());
  }
  elements_ = static_cast<std::size_t>((most + Pieces::kPadding - 1) / Pieces::kPadding * Pieces::kPadding);
}

std::unique_ptr<GradientFlow> GradientFlow::create(Communicator& communicator, Job job, bool share) {
  std::unique_ptr<GradientFlow> flow = share || communicator.size() == 1 ? shared_flow(communicator, job) : nullptr;
  return flow ? std::move(flow) : message_flow(communicator, job);
}

void GradientFlow::meet() { communicator_.barrier({.what = "setting the parameters"}); }

Wish GradientFlow::wish() const {
  Wish greatest = Wish::nothing;
  for (int w = 0; w < static_cast<int>(runs_.size()); ++w)
    greatest = std::max(greatest, note(w).wish);
  return greatest;
}

std::size_t GradientFlow::buffers_per_thread() const {
  const std::vector<int> full(static_cast<std::size_t>(job_.lanes), 1);
  int most = 0;
  for (const LaneRange& run : seats_)
    most = std::max(most, FoldPlan(run, full, job_.reduce).buffers());
  return static_cast<std::size_t>(most);
}

void GradientFlow::count_step(std::span<const int> lane_samples, std::int64_t step) {
  ++steps_;
  plans_[parity()] = &make_plans(lane_samples);
  numbers_[parity()] = step;
}

const GradientFlow::StepPlans& GradientFlow::make_plans(std::span<const int> lane_samples) {
  const auto same = [](int samples, bool used) { return (samples > 0) == used; };
  for (const auto& [used, plans] : known_) {
    if (std::ranges::equal(lane_samples, used, same))
      return *plans;
  }
  std::vector<bool> used(lane_samples.size());
  std::transform(lane_samples.begin(), lane_samples.end(), used.begin(), [](int samples) { return samples > 0; });
  std::vector<FoldPlan> folds;
  for (const LaneRange& run : seats_)
    folds.emplace_back(run, lane_samples, job_.reduce);
  const std::span mine(seats_.data() + first_seat_, static_cast<std::size_t>(threads_));
  known_.emplace_back(std::move(used),
                      std::make_unique<StepPlans>(StepPlans{
                          std::move(folds), RestPlan(seats_, lane_samples, job_.reduce), RestPlan(runs_, lane_samples, job_.reduce),
                          RestPlan(mine, runs_[static_cast<std::size_t>(me_)], lane_samples, job_.reduce)}));
  return *known_.back().second;
}

}  // namespace lockstep
