#include "ops/matmul/activation.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {
namespace {

/// An op and oneDNN's name for it.
struct Activation {
  std::string_view name;
  dnnl::algorithm algorithm;
};

const Activation kActivations[] = {{"relu", dnnl::algorithm::eltwise_relu},        {"tanh", dnnl::algorithm::eltwise_tanh},
                                   {"sigmoid", dnnl::algorithm::eltwise_logistic}, {"elu", dnnl::algorithm::eltwise_elu},
                                   {"gelu", dnnl::algorithm::eltwise_gelu_erf},    {"softplus", dnnl::algorithm::eltwise_soft_relu},
                                   {"silu", dnnl::algorithm::eltwise_swish}};

}  // namespace

dnnl::primitive_attr attributes_with_activation(const Attrs& attrs) {
  dnnl::primitive_attr result = onednn::attributes();
  if (!attrs.has(kActivation)) {
    return result;
  }
  const std::string& name = attrs.text(kActivation);
  const auto* const found = std::ranges::find(kActivations, name, &Activation::name);
  if (found == std::end(kActivations)) {
    throw UsageError(fmt::format("no kernel can fuse the activation '{}'", name));
  }
  // relu's alpha is the slope below zero
  const double alpha = name == "relu" ? 0 : attrs.has("alpha") ? attrs.real("alpha") : 1;
  dnnl::post_ops ops;
  onednn::append_eltwise(ops, found->algorithm, static_cast<float>(alpha));
  result.set_post_ops(ops);
  return result;
}

void require_no_activation(const Attrs& attrs, std::string_view op) {
  if (attrs.has(kActivation)) {
    throw UsageError(fmt::format("{} with a fused activation cannot be differentiated; differentiate before fusing", op));
  }
}

}  // namespace lockstep
