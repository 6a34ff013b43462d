#include "lockstep/gradient_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lockstep/differentiate.hpp"
#include "lockstep/ops.hpp"
#include "ops/table.hpp"
#include "runtime/philox.hpp"
#include "runtime/reference.hpp"

namespace lockstep {
namespace {

/// The numbers given, and keyed ones for the leaves left out.
NamedNumbers fill_leaves(const Graph& graph, const GradientCheckOptions& options) {
  NamedNumbers numbers = options.leaves;
  for (const Node& node : graph.nodes()) {
    if (!leaf::is_leaf(*node.op) || node.op == &leaf::constant() || numbers.contains(node.attrs.text("name"))) {
      continue;
    }
    const std::string& name = node.attrs.text("name");
    const PhiloxKey key = philox_key(options.seed, "gradient check", name);
    std::vector<double> values(static_cast<std::size_t>(node.outputs[0].elements()), 0.0);
    for (std::size_t i = 0; i < values.size() && node.outputs[0].dtype == DType::f32; ++i) {
      const PhiloxCounter r = philox({static_cast<std::uint32_t>(i), 0, 0, 0}, key);
      values[i] = std::sqrt(-2 * std::log(1 - unit_double(r[0], r[1]))) * std::cos(2 * M_PI * unit_double(r[2], r[3]));
    }
    numbers[name] = std::move(values);
  }
  return numbers;
}

/// Compares `gradient` with central differences of `scalar` at one leaf; adds to `result`.
void check_leaf(Value scalar, Value leaf_value, std::span<const double> gradient, NamedNumbers& numbers,
                const GradientCheckOptions& options, GradientCheck& result) {
  const Graph& graph = *scalar.graph;
  const std::string name = graph.node(leaf_value.ref.node).attrs.text("name");
  const std::array wanted{scalar.ref};
  const auto value_now = [&] { return reference_values(graph, wanted, numbers, {}, reference_kernel).at(scalar.ref)[0]; };
  std::vector<double>& x = numbers.at(name);
  double scale = 1;
  for (const double g : gradient) {
    scale = std::max(scale, std::abs(g));
  }
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double kept = x[i];
    const double h = options.step * std::max(1.0, std::abs(kept));
    x[i] = kept + h;
    const double above = value_now();
    x[i] = kept - h;
    const double below = value_now();
    x[i] = kept;
    const double numeric = (above - below) / (2 * h);
    const double difference = std::abs(numeric - gradient[i]) / scale;
    if (!std::isnan(result.worst) && !(difference <= result.worst)) {
      result.worst = difference;
      result.where = fmt::format("'{}'[{}]: the gradient is {:.9g}, central differences give {:.9g}", name, i, gradient[i], numeric);
    }
  }
}

}  // namespace

GradientCheck check_gradient(Value scalar, std::span<const Value> leaves, const GradientCheckOptions& options) {
  for (const Value& v : leaves) {
    const Node& node = scalar.graph->node(v.ref.node);
    if (!leaf::is_leaf(*node.op) || node.op == &leaf::constant()) {
      throw UsageError(fmt::format("check_gradient: a value made by {} is no leaf whose numbers could be changed", node.op->name()));
    }
  }
  const std::vector<Value> gradients = differentiate(scalar, leaves);
  std::vector<Ref> wanted;
  for (const Value& g : gradients) {
    wanted.push_back(g.ref);
  }
  NamedNumbers numbers = fill_leaves(*scalar.graph, options);
  const std::map<Ref, std::vector<double>> values = reference_values(*scalar.graph, wanted, numbers, {}, reference_kernel);
  GradientCheck result;
  for (std::size_t i = 0; i < leaves.size(); ++i) {
    check_leaf(scalar, leaves[i], values.at(wanted[i]), numbers, options, result);
  }
  result.ok = result.worst <= options.tolerance;
  return result;
}

GradientCheck check_second_gradient(Value scalar, std::span<const Value> leaves, const GradientCheckOptions& options) {
  Value half_square = scalar.graph->constant(0);
  for (const Value& g : differentiate(scalar, leaves)) {
    half_square = add(half_square, mul(scalar.graph->constant(0.5), sum(square(g))));
  }
  return check_gradient(half_square, leaves, options);
}

}  // namespace lockstep
