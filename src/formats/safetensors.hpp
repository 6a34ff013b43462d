#pragma once

#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "train/initial.hpp"
#include "train/named_tensor.hpp"

namespace lockstep {

/// What a safetensors file holds.
struct Safetensors {
  std::vector<NamedTensor> tensors;  ///< in name order; those of whole numbers, which are counters, are left out
  std::map<std::string, std::string> metadata;
};

/// Writes all tensors in name order, whole or not at all; the same contents give the same bytes. Data begin at a multiple of 8 bytes.
/// Throws UsageError if a name comes twice, is "__metadata__", or a tensor's values do not fit its shape; CheckpointError if the file
/// cannot be written. Format: 8 bytes length of the header, JSON header, data; github.com/huggingface/safetensors.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata = {});

/// Reads a file and trusts nothing in it: every length is checked against the file before it is used. F64, F16 and BF16 become f32.
/// Throws CheckpointError naming the file, the tensor and what is wrong with it.
[[nodiscard]] Safetensors read_safetensors(const std::filesystem::path& path);

/// A file's weights, for a run to start from. Throws as read_safetensors.
[[nodiscard]] StartingWeights read_starting_weights(const std::string& file, std::vector<std::string> afresh);

}  // namespace lockstep
