#pragma once

#include <filesystem>
#include <span>
#include <string>

#include "train/named_tensor.hpp"

namespace lockstep {

/// Writes all tensors in name order, whole or not at all; the same contents give the same bytes. Data begin at a multiple of 8 bytes.
/// Throws UsageError if a name comes twice, is "__metadata__", or a tensor's values do not fit its shape; CheckpointError if the file
/// cannot be written. Format: 8 bytes length of the header, JSON header, data; github.com/huggingface/safetensors.
void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors);

/// SHA-256 (64 hexadecimal digits) over the values of all tensors in name order, little-endian f32: what a safetensors file holds after
/// its header.
[[nodiscard]] std::string parameter_hash(std::span<const NamedTensor> tensors);

}  // namespace lockstep
