#pragma once

#include <nlohmann/json.hpp>

#include "data/dataset.hpp"

namespace lockstep {

/// What a model must know of the data that it was trained on: {"fields": [{"name", "dtype", "sample", "mean", "std"; of files made
/// elsewhere also "role", "source"}], "classes": [names]}.
[[nodiscard]] nlohmann::ordered_json describe_data(const Dataset& dataset);

/// The statistics in such a description, of the fields that have some.
[[nodiscard]] std::map<std::string, Statistics> statistics_in(const nlohmann::ordered_json& description);

/// The sources and statistics of such a description, to take other files (given as `files`) in the same way. Sources are empty where the
/// model was trained on a dataset of ours.
[[nodiscard]] DataFiles files_like(const nlohmann::ordered_json& description, std::vector<std::filesystem::path> files);

}  // namespace lockstep
