#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>

#include "data/dataset.hpp"
#include "lockstep/nn.hpp"
#include "train/step_engine.hpp"

namespace lockstep {

/// What the model says of at most 24 samples, evenly spread over these rows, for samples.json:
///   {"task": "classes"|"several"|"numbers", "classes": [names], "samples": [{"index": row, "shape": [...], "layout": "chw"|"flat",
///    "pixels": Base64 of the stored bytes (u8 [C, H, W] with 1 or 3 channels) or "values": [at most 16 numbers],
///    "label": number or [...], "prediction": number or [...], "probabilities": [...]}, ...]}
/// Labels and predictions are lists where a sample has several; at most 16 of them are told. Each sample is computed alone, by one lane of
/// this worker, so the text is the same for every number of workers and threads. Nothing is exchanged. Null for a model of none of the
/// tasks, and for data without "features".
[[nodiscard]] nlohmann::ordered_json describe_samples(StepEngine& engine, const Model& model, const Dataset& dataset, RowRange rows);

}  // namespace lockstep
