#pragma once

#include <span>
#include <string>
#include <vector>

#include "plan/flat_layout.hpp"
#include "train/named_tensor.hpp"

namespace lockstep {

/// Stored weights to start from instead of the initialisers'.
struct StartingWeights {
  std::string file;                  ///< for messages
  std::vector<NamedTensor> tensors;  ///< under the model's names
  std::vector<std::string> afresh;   ///< patterns: what fits keeps the initialiser's values, whatever the file holds
  bool operator==(const StartingWeights&) const = default;
};

/// Overwrites the tensors of `flat` with the stored ones and gives a sentence that says which start afresh. Throws CheckpointError naming
/// all tensors that are missing in the file, left over in it, of another shape or not finite, but for those that start afresh; `flat` is
/// then as it was.
std::string take_weights(const FlatLayout& layout, const StartingWeights& weights, std::span<float> flat);

}  // namespace lockstep
