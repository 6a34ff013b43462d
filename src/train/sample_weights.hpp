#pragma once

#include "lockstep/nn.hpp"

namespace lockstep {

/// The model whose training loss of each sample is multiplied by its input "weight" f32 [n]; the step's loss is still the mean over its
/// samples. Evaluation stays unweighted. A model that reads "weight" itself is given back as it is.
[[nodiscard]] Model weigh_samples(Model model);

}  // namespace lockstep
