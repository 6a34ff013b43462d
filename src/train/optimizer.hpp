#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "comm/pieces.hpp"
#include "plan/flat_layout.hpp"
#include "train/recipe.hpp"

namespace lockstep {

/// The numbers of one step.
struct StepRates {
  double rate = 0;
  double first = 1, second = 1;  ///< bias corrections of Adam's moments: 1 / (1 − β^step)
  double average = 0;            ///< what the new weights weigh in the averaged ones
};

/// What sums over all atoms come to: factors of a step.
struct StepScales {
  double clip = 1;            ///< of all gradients
  double norm = 0;            ///< of the gradient over all parameters, where a round measures it
  std::vector<double> trust;  ///< [tensor], of LARS and LAMB
};

/// The update of the parameters, atom by atom; all of it but the direction is the same for every optimizer:
///
///     g ← clip·Δw + l2·w                                       gradient and L2 penalty
///     d ← direction(g, state)                                  see below; the state is the optimizer's own
///     w ← w − rate·(d + decay·w)
///     w ← w − clamp(w, −t·l1, t·l1)                            proximal step of the L1 penalty: exact zeros
///     row ← row·max(0, 1 − t·group·√elements / ‖row‖)          of the group lasso, row by row: exact zeros
///     a ← a + (1 − β)/(1 − β^step)·(w − a)                     averaged weights, without bias to the start
///
///     sgd     d = g;  with momentum v ← μ·v + g, d = v;  Nesterov's d = g + μ·v (PyTorch's form)
///     adamw   m ← β₁·m + (1 − β₁)·g,  v ← β₂·v + (1 − β₂)·g²,  d = m̂ / (√v̂ + ε).  Loshchilov and Hutter 2017, arXiv 1711.05101
///     lars    sgd on η·‖w‖ / (‖clip·Δw‖ + l2·‖w‖)·g.  You, Gitman, Ginsburg 2017, arXiv 1708.03888
///     lamb    adamw with its rate times ‖w‖ / ‖d + decay·w‖.  You et al. 2019, arXiv 1904.00962
///
/// The threshold t is the rate; for sgd and lars over 1 − μ, since momentum makes as much of a gradient that stays: the minimum is that of
/// loss and penalty. (Adam's directions have no such scale: there λ is relative to them.) The norms of LARS and LAMB are those of a tensor,
/// and their factors 1 where a norm is 0 and for biases and gains of norms; thresholds are scaled by them too. Tensors that are not trained
/// (running statistics) are mixed with the sum by their momentum.
///
/// One pass over an atom makes the update. What needs sums over all atoms first takes a round of `measure` before: the gradient's norm for
/// clipping and LARS, the direction's for LAMB. Sums over atoms are in double and follow the tree, so that no bit depends on who owns what.
class Updater {
 public:
  /// Throws UsageError as rules_for does.
  Updater(const FlatLayout& layout, const Recipe& recipe);

  /// Of the arrays of state: "momentum"; "exp_avg" and "exp_avg_sq"; at the end "average" where there are averaged weights.
  [[nodiscard]] const std::vector<std::string>& states() const { return states_; }
  /// Rounds of `measure` that a step needs before its update: 0, 1 or 2.
  [[nodiscard]] int rounds() const { return static_cast<int>(rounds_.size()); }
  /// Whether one of them measures the gradient's norm.
  [[nodiscard]] bool measures_norm() const { return !rounds_.empty() && rounds_[0] == Round::gradient; }
  /// The atoms of each bucket: up to kAtom elements, whole rows where there is a group penalty; none spans two tensors.
  [[nodiscard]] std::vector<std::vector<Atom>> atoms() const;

  /// The numbers of step `step` (the first is 0) at a learning rate.
  [[nodiscard]] StepRates rates(double rate, std::uint64_t step) const;
  [[nodiscard]] StepScales scales() const { return {1, 0, std::vector<double>(rules_.size(), 1)}; }

  /// An atom while it is worked on: g the summed gradient, w its parameters, state [states, count], scratch [count].
  struct At {
    const Atom& atom;
    const float* g;
    float* w;
    float* state;
    float* scratch;
  };
  void update(const At& at, const StepRates& now, const StepScales& scales) const;
  /// The atom's part of a round: writes Σ x² and Σ w², x the gradient or the direction.
  void measure(int round, const At& at, const StepRates& now, const StepScales& scales, double* sums) const;
  /// What a round comes to, from [atoms, 2] in the order of the buckets. Allocates nothing.
  void scale(int round, std::span<const double> atom_sums, StepScales& scales) const;

  /// Σ of the penalties over the flat array.
  [[nodiscard]] double penalty(std::span<const float> flat) const;

 private:
  enum class Round : std::uint8_t { gradient, direction };
  void direct(const At& at, const StepRates& now, const StepScales& scales, bool again) const;
  [[nodiscard]] double rate_of(std::size_t tensor, const StepRates& now, const StepScales& scales) const;
  [[nodiscard]] double threshold_of(std::size_t tensor, double rate, const StepScales& scales) const;

  FlatLayout layout_;
  Optimizer optimizer_;
  double clip_, average_;
  std::vector<TensorRule> rules_;
  std::vector<std::string> states_;
  std::vector<Round> rounds_;
  std::vector<std::size_t> atoms_of_;  ///< [tensor]
};

/// Σ x² of a tensor, whose bits do not depend on who adds what: each atom of 1,024 elements in double in a fixed order, then the atoms'
/// sums in a tree of the same shape as the tree over lanes: it splits at the largest power of two below n, again and again.
[[nodiscard]] double sum_of_squares(std::span<const float> tensor);

/// √Σ w² over all that is trained, the same for every number of workers and threads.
[[nodiscard]] double parameter_norm(const FlatLayout& layout, std::span<const float> flat);

}  // namespace lockstep
