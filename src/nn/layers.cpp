#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "lockstep/nn.hpp"

namespace lockstep::nn {
namespace {

/// By Activation's number.
struct Named {
  std::string_view name;
  Value (*apply)(Value x);
};
constexpr std::array kActivations{
    Named{"none", [](Value x) { return x; }},     Named{"sigmoid", sigmoid},   Named{"tanh", tanh}, Named{"relu", relu},
    Named{"elu", [](Value x) { return elu(x); }}, Named{"softplus", softplus}, Named{"gelu", gelu}, Named{"silu", silu}};

/// [C] as it broadcasts over x [n, C, ...].
Value per_channel(Value v, Value x) {
  std::vector<std::int64_t> dims(static_cast<std::size_t>(x.shape().rank() - 1), 1);
  dims[0] = v.shape()[0];
  return dims.size() == 1 ? v : reshape(v, Shape(dims));
}

/// variance · n / (n − 1), with n the number of elements a channel has.
Value unbiased(Value variance, Value x) {
  std::vector<std::int64_t> axes;
  for (int axis = 0; axis < x.shape().rank(); ++axis) {
    if (axis != 1) {
      axes.push_back(axis);
    }
  }
  const Value n = size(x, axes);
  const Value one = x.graph->constant(1);
  return mul(variance, div(n, maximum(sub(n, one), one)));
}

}  // namespace

Activation activation_from(const std::string& name) {
  const auto* found = std::ranges::find(kActivations, name, &Named::name);
  if (found == kActivations.end()) {
    std::vector<std::string_view> known;
    std::ranges::transform(kActivations.begin() + 1, kActivations.end(), std::back_inserter(known), &Named::name);
    throw UsageError(fmt::format("there is no activation '{}'; there are {}", name, fmt::join(known, ", ")));
  }
  return static_cast<Activation>(found - kActivations.begin());
}

Value activate(Value x, Activation activation) { return kActivations[static_cast<std::size_t>(activation)].apply(x); }

Initializer initializer_for(Activation activation) {
  const bool saturates = activation == Activation::none || activation == Activation::sigmoid || activation == Activation::tanh;
  return saturates ? Initializer::glorot() : Initializer::he();
}

Value dense(const Scope& scope, const std::string& name, Value x, std::int64_t outputs, Initializer weight) {
  const Value w = scope.graph.parameter(name + ".weight", {outputs, x.shape()[-1]}, weight);
  const Value b = scope.graph.parameter(name + ".bias", {outputs}, Initializer::zeros());
  return matmul(x, w, false, true, b);
}

Value conv2d(const Scope& scope, const std::string& name, Value x, std::int64_t channels, std::int64_t kernel, std::int64_t stride,
             std::int64_t padding, Initializer weight, bool bias) {
  const Value w = scope.graph.parameter(name + ".weight", {channels, x.shape()[1], kernel, kernel}, weight);
  const Value b = bias ? scope.graph.parameter(name + ".bias", {channels}, Initializer::zeros()) : Value{};
  return lockstep::conv2d(x, w, b, stride, padding);
}

Value global_average_pool(Value x) {
  const Shape& shape = x.shape();
  return shape[2] == shape[3] ? flatten(average_pool(x, shape[2], shape[2])) : mean(x, {2, 3});  // a window follows x's layout
}

Value batch_norm(const Scope& scope, const std::string& name, Value x, double momentum, double eps) {
  Graph& graph = scope.graph;
  const Shape shape{x.shape()[1]};
  const Value gain = graph.parameter(name + ".weight", shape, Initializer::ones());
  const Value bias = graph.parameter(name + ".bias", shape, Initializer::zeros());
  const Value mean = graph.state(name + ".running_mean", shape, Initializer::zeros());
  const Value variance = graph.state(name + ".running_var", shape, Initializer::ones());
  if (scope.training) {
    const BatchNorm norm = lockstep::batch_norm(x, gain, bias, eps);
    graph.update_state(name + ".running_mean", norm.mean, momentum);
    graph.update_state(name + ".running_var", unbiased(norm.variance, x), momentum);
    return norm.y;
  }
  const Value scale = div(gain, sqrt(add(variance, graph.constant(eps))));
  const Value shift = sub(bias, mul(mean, scale));
  return add(mul(x, per_channel(scale, x)), per_channel(shift, x));
}

Value dropout(const Scope& scope, const std::string& name, Value x, double rate) {
  if (rate < 0 || rate >= 1) {
    throw UsageError(fmt::format("dropout: the rate must lie in [0, 1), not {}", rate));
  }
  return scope.training && rate > 0 ? lockstep::dropout(x, rate, name) : x;
}

Value layer_norm(const Scope& scope, const std::string& name, Value x, double eps) {
  const Shape shape{x.shape()[-1]};
  return lockstep::layer_norm(x, scope.graph.parameter(name + ".weight", shape, Initializer::ones()),
                              scope.graph.parameter(name + ".bias", shape, Initializer::zeros()), eps);
}

Value embedding(const Scope& scope, const std::string& name, Value indexes, std::int64_t rows, std::int64_t width, Initializer weight) {
  return lockstep::embedding(indexes, scope.graph.parameter(name + ".weight", {rows, width}, weight));
}

Value self_attention(const Scope& scope, const std::string& name, Value x, std::int64_t heads, bool causal, Initializer weight) {
  const std::int64_t width = x.shape()[-1];
  const Value qkv = dense(scope, name + ".qkv", x, 3 * width, weight);
  return dense(scope, name + ".projection", attention(qkv, heads, causal), width, weight);
}

}  // namespace lockstep::nn
