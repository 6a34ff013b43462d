#pragma once

#include "cli/options.hpp"
#include "train/recipe.hpp"

namespace lockstep::cli {

/// How a model is trained: optimizer, learning rates, schedule, penalties, clipping, averaged weights.
void add_recipe_options(po::options_description& options);
[[nodiscard]] Recipe recipe_from(const po::variables_map& values);

}  // namespace lockstep::cli
