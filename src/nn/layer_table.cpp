#include "nn/layer_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

namespace lockstep::nn {
namespace {

double real_or(const Attrs& attrs, const char* key, double otherwise) { return attrs.has(key) ? attrs.real(key) : otherwise; }

/// Of one operand x. `settings` names the attributes that it knows, besides the initialiser of its weight where it has one.
struct NamedLayer {
  std::string_view name;
  std::vector<std::string_view> settings;
  Value (*write)(const Scope& scope, const std::string& name, Value x, const Attrs& attrs);
  bool has_weight = false;
};

const std::array kLayers{
    NamedLayer{"dense",
               {"outputs"},
               [](const Scope& scope, const std::string& name, Value x, const Attrs& attrs) {
                 return dense(scope, name, x, attrs.integer("outputs"), initializer_of(attrs, Initializer::he()));
               },
               true},
    NamedLayer{"conv2d",
               {"channels", "kernel", "stride", "padding", "bias"},
               [](const Scope& scope, const std::string& name, Value x, const Attrs& attrs) {
                 return conv2d(scope, name, x, attrs.integer("channels"), attrs.integer("kernel"), attrs.integer_or("stride", 1),
                               attrs.integer_or("padding", 0), initializer_of(attrs, Initializer::he()), attrs.integer_or("bias", 1) != 0);
               },
               true},
    NamedLayer{"embedding",
               {"rows", "width"},
               [](const Scope& scope, const std::string& name, Value x, const Attrs& attrs) {
                 return embedding(scope, name, x, attrs.integer("rows"), attrs.integer("width"),
                                  initializer_of(attrs, Initializer::normal(0, 1)));
               },
               true},
    NamedLayer{"self_attention",
               {"heads", "causal"},
               [](const Scope& scope, const std::string& name, Value x, const Attrs& attrs) {
                 return self_attention(scope, name, x, attrs.integer("heads"), attrs.integer_or("causal", 0) != 0,
                                       initializer_of(attrs, Initializer::glorot()));
               },
               true},
    NamedLayer{"batch_norm",
               {"momentum", "eps"},
               [](const Scope& scope, const std::string& name, Value x, const Attrs& attrs) {
                 return batch_norm(scope, name, x, real_or(attrs, "momentum", 0.1), real_or(attrs, "eps", 1e-5));
               }},
    NamedLayer{"layer_norm",
               {"eps"},
               [](const Scope& scope, const std::string& name, Value x, const Attrs& attrs) {
                 return layer_norm(scope, name, x, real_or(attrs, "eps", 1e-5));
               }},
    NamedLayer{"dropout",
               {"rate"},
               [](const Scope& scope, const std::string& name, Value x, const Attrs& attrs) {
                 return dropout(scope, name, x, attrs.real("rate"));
               }},
    NamedLayer{"flatten", {}, [](const Scope&, const std::string&, Value x, const Attrs&) { return flatten(x); }},
    NamedLayer{"global_average_pool", {}, [](const Scope&, const std::string&, Value x, const Attrs&) { return global_average_pool(x); }},
};

}  // namespace

Value write_layer(const Scope& scope, const LayerCall& call) {
  const auto* const layer = std::ranges::find(kLayers, call.layer, &NamedLayer::name);
  if (layer == kLayers.end()) {
    std::vector<std::string_view> known;
    std::ranges::transform(kLayers, std::back_inserter(known), &NamedLayer::name);
    throw UsageError(fmt::format("there is no such layer; there are {}", fmt::join(known, ", ")));
  }
  std::vector<std::string_view> settings = layer->settings;
  if (layer->has_weight) {
    settings.insert(settings.end(), {"init", "init_a", "init_b"});
  }
  for (const auto& [key, item] : call.attrs.items()) {
    if (std::ranges::find(settings, key) == settings.end()) {
      throw UsageError(
          fmt::format("it has no setting \"{}\", but {}", key, settings.empty() ? "none" : fmt::format("{}", fmt::join(settings, ", "))));
    }
  }
  if (call.inputs.size() != 1) {
    throw UsageError(fmt::format("a layer takes one operand, not {}", call.inputs.size()));
  }
  return layer->write(scope, call.name, call.inputs[0], call.attrs);
}

}  // namespace lockstep::nn
