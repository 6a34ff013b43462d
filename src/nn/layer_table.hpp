#pragma once

#include "graph/json.hpp"
#include "lockstep/nn.hpp"

namespace lockstep::nn {

/// Appends the layer that a node of a model file asks for: the function of lockstep/nn.hpp of that name, whose settings are the node's
/// attributes. Throws UsageError naming the layers there are, or the settings of this one.
[[nodiscard]] Value write_layer(const Scope& scope, const LayerCall& call);

}  // namespace lockstep::nn
