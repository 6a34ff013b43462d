#pragma once

#include <cstddef>
#include <cstdint>

#include "data/dataset.hpp"
#include "train/step_engine.hpp"

namespace lockstep {

/// Sums over all rows of a dataset with the engine's parameters, in its lanes. Every worker must call it.
[[nodiscard]] StepSums evaluate_dataset(StepEngine& engine, const Dataset& dataset, RowRange rows, std::int64_t batch, int lanes,
                                        std::size_t cache);

}  // namespace lockstep
