#pragma once

#include <filesystem>

#include "data/field.hpp"
#include "lockstep/nn.hpp"
#include "train/checkpoint.hpp"

namespace lockstep::cli {

/// The checkpoint that a run would end with: the best where it stops early, else the last; its parameters are the averaged ones where the
/// run keeps such. Damaged ones are told of on stderr after
/// `command`. Throws CheckpointError if there is none.
[[nodiscard]] Checkpoint load_trained(const std::filesystem::path& run, const char* command);

/// Of the data that it was trained on, see describe_data; of ours and without statistics where the checkpoint does not say.
[[nodiscard]] nlohmann::ordered_json description_of(const Checkpoint& checkpoint);

/// By which an output's numbers are un-scaled, y · std + mean: the statistics of the field that its loss compares it with. Empty: not at
/// all.
[[nodiscard]] Statistics units_of(const Model& model, const nlohmann::ordered_json& description, const std::string& output);

}  // namespace lockstep::cli
