#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "lockstep/kernel.hpp"

namespace lockstep {

/// Numbers of leaves (inputs, parameters, state, scalars) or of outputs, by name; row-major.
using NamedNumbers = std::map<std::string, std::vector<double>>;

/// Finds the reference kernel of an op; throws when there is none.
using ReferenceLookup = ReferenceKernel (*)(const Op&);

/// Computes `wanted` and all that it depends on, node by node in double; gives every value so computed.
/// Throws UsageError naming the leaf when `leaves` lacks one that is needed or holds another number of elements.
[[nodiscard]] std::map<Ref, std::vector<double>> reference_values(const Graph& graph, std::span<const Ref> wanted,
                                                                  const NamedNumbers& leaves, const StepContext& step,
                                                                  ReferenceLookup lookup);

/// Every declared output of the graph, by name. Throws as `reference_values`.
[[nodiscard]] NamedNumbers run_reference(const Graph& graph, const NamedNumbers& leaves, const StepContext& step, ReferenceLookup lookup);

}  // namespace lockstep
