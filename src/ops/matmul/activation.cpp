#include "ops/matmul/activation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

/// One activation: its definition and oneDNN's name. `alpha` is the slope parameter of elu, 1 for the others.
struct Activation {
  std::string_view name;
  double (*value)(double x, double alpha);
  dnnl::algorithm algorithm;
};

const Activation kActivations[] = {
    {"relu", [](double x, double) { return x < 0 ? 0.0 : x; }, dnnl::algorithm::eltwise_relu},
    {"tanh", [](double x, double) { return std::tanh(x); }, dnnl::algorithm::eltwise_tanh},
    {"sigmoid", [](double x, double) { return 1 / (1 + std::exp(-x)); }, dnnl::algorithm::eltwise_logistic},
    {"elu", [](double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x); }, dnnl::algorithm::eltwise_elu},
    {"gelu", [](double x, double) { return 0.5 * x * std::erfc(-x * std::sqrt(0.5)); }, dnnl::algorithm::eltwise_gelu_erf},
    {"softplus", [](double x, double) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); },
     dnnl::algorithm::eltwise_soft_relu},
    {"silu", [](double x, double) { return x / (1 + std::exp(-x)); }, dnnl::algorithm::eltwise_swish},
};

const Activation* activation_of(const Attrs& attrs) {
  const std::string name = attrs.text_or(kActivation, "");
  if (name.empty()) {
    return nullptr;
  }
  const auto* found = std::ranges::find(kActivations, name, &Activation::name);
  if (found == std::end(kActivations)) {
    throw UsageError(fmt::format("no kernel can fuse the activation '{}'", name));
  }
  return found;
}

double alpha_of(const Attrs& attrs) { return attrs.has("alpha") ? attrs.real("alpha") : 1.0; }

}  // namespace

double activate(const Attrs& attrs, double x) {
  const Activation* activation = activation_of(attrs);
  return activation == nullptr ? x : activation->value(x, alpha_of(attrs));
}

dnnl::primitive_attr attributes_with_activation(const Attrs& attrs) {
  dnnl::primitive_attr result = onednn::attributes();
  if (const Activation* activation = activation_of(attrs)) {
    // relu's alpha is the slope below zero
    const float alpha = activation->name == "relu" ? 0.0f : static_cast<float>(alpha_of(attrs));
    dnnl::post_ops ops;
    onednn::append_eltwise(ops, activation->algorithm, alpha);
    result.set_post_ops(ops);
  }
  return result;
}

void require_no_activation(const Attrs& attrs, std::string_view op) {
  if (attrs.has(kActivation)) {
    throw UsageError(fmt::format("{} with a fused activation cannot be differentiated; differentiate before fusing", op));
  }
}

}  // namespace lockstep
