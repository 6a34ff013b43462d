#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "plan/flat_layout.hpp"

namespace lockstep {

/// How parameters follow the gradient; `optimizer.hpp` says the formulas.
struct Optimizer {
  enum class Kind : std::uint8_t { sgd, adamw, lars, lamb } kind = Kind::sgd;
  double momentum = 0.9;                              ///< sgd, lars
  bool nesterov = false;                              ///< sgd, lars
  double beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;  ///< adamw, lamb
  double decay = 0;                                   ///< adamw, lamb: weight decay, of the parameters that penalties are on by default
  double trust = 1e-3;                                ///< lars
};

/// l1·Σ|w| + l2/2·Σw² + group·Σ over rows of √(elements of a row)·‖row‖, on the parameters that the pattern fits. A row is one index of
/// the first axis: all that leads to one output. Without a pattern it is on all weights; tensors of rank below 2 (biases, gains of norms)
/// only where a pattern names them: one whose last part, after the last dot, has no '*'.
struct Penalty {
  double l1 = 0, l2 = 0, group = 0;
  std::string pattern{};
};

/// A learning rate for the parameters that a pattern fits.
struct RateFor {
  double rate = 0;
  std::string pattern{};
};

/// How a model is trained, but for data, batch and schedule. Patterns are those of a shell: '*' stands for any characters, dots too.
struct Recipe {
  Optimizer optimizer{};
  double rate = 0.01;
  std::vector<RateFor> rates{};  ///< the last one that fits a parameter holds
  std::vector<Penalty> penalties{};
  double clip = 0;     ///< gradients of a greater norm, of all parameters together, are scaled to it; 0: never
  double average = 0;  ///< decay of the averaged weights; 0: none

  /// SGD with an L2 penalty on all weights.
  [[nodiscard]] static Recipe sgd(double momentum, double l2);
  /// What makes another model when it changes, under the names of the options.
  [[nodiscard]] nlohmann::ordered_json json() const;
};

/// "sgd", "adamw", "lars" or "lamb". Throws UsageError naming them.
[[nodiscard]] Optimizer::Kind optimizer_from(const std::string& name);
/// "l1:1e-5", "l2:1e-4@layers.0.*", "elastic:1e-5,1e-4" (l1, l2), "group:1e-3". Throws UsageError.
[[nodiscard]] Penalty penalty_from(const std::string& text);
/// "0.1", "0.01@layers.0.*". Throws UsageError.
[[nodiscard]] RateFor rate_from(const std::string& text);

/// What a recipe comes to for one tensor.
struct TensorRule {
  double rate = 1;  ///< times that of the step
  double l1 = 0, l2 = 0, group = 0, decay = 0;
  bool adapts = false;  ///< LARS and LAMB: its step follows its own norms
};

/// In the order of the layout's tensors. Throws UsageError naming the pattern that fits no parameter, or a number out of range.
[[nodiscard]] std::vector<TensorRule> rules_for(const FlatLayout& layout, const Recipe& recipe);

}  // namespace lockstep
