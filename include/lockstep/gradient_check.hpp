#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "lockstep/graph.hpp"

namespace lockstep {

struct GradientCheckOptions {
  /// Numbers of leaves by name. A leaf that is not named gets keyed normal numbers (f32) or zeros (other dtypes).
  std::map<std::string, std::vector<double>> leaves;
  double step = 1e-5;       ///< of the central differences, relative to max(1, |x|)
  double tolerance = 1e-6;  ///< allowed difference, relative to the largest gradient of that leaf and at least 1
  std::uint64_t seed = 1;
};

/// What a check found. `worst` is the greatest relative difference, `where` names the leaf and element it was seen at, with both numbers.
struct GradientCheck {
  bool ok = true;
  double worst = 0;
  std::string where;
};

/// Compares the derivative of `scalar` by `differentiate` with central differences, both by the reference kernels in double, for every
/// element of `leaves` (f32 leaves of the graph of `scalar`). Appends nodes to the graph.
/// Requires that the function is smooth within a step of the point. Throws ShapeError if `scalar` has more than one element, UsageError if
/// one of `leaves` is no leaf.
[[nodiscard]] GradientCheck check_gradient(Value scalar, std::span<const Value> leaves, const GradientCheckOptions& options = {});

/// The same for the second derivative: checks the gradient of ½ Σ |∇ scalar|². Call it on a graph whose ops all have primitive gradients
/// (`expand_all` makes one).
[[nodiscard]] GradientCheck check_second_gradient(Value scalar, std::span<const Value> leaves, const GradientCheckOptions& options = {});

}  // namespace lockstep
