#pragma once

#include <nlohmann/json.hpp>

#include "cli/predictor.hpp"

namespace lockstep::cli {

/// What a model says of at most 24 samples, evenly spread over these rows, for samples.json:
///   {"task": "classes"|"several"|"numbers", "classes": [names], "samples": [{"index": row, "shape": [...], "layout": "chw"|"flat",
///    "pixels": Base64 of the stored bytes (u8 [C, H, W] with 1 or 3 channels) or "values": [at most 16 numbers, as stored],
///    "label": number or [...], "prediction": number or [...], "probabilities": [...]}, ...]}
/// Of several inputs the first image is shown, else the first. Labels and predictions are lists where a sample has several, at most 16 of
/// them, in the units of the data. Null for a model of none of the tasks.
[[nodiscard]] nlohmann::ordered_json describe_samples(Predictor& predictor, const Metrics& metrics, const Dataset& dataset, RowRange rows);

}  // namespace lockstep::cli
