#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "plan/flat_layout.hpp"
#include "train/named_tensor.hpp"

namespace lockstep {

/// A tensor's part of a flat array.
template <class Number>
[[nodiscard]] std::span<Number> values_of(const FlatTensor& tensor, std::span<Number> flat) {
  return flat.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.count));
}

/// The name of the first tensor with a value that is not finite, if there is one.
[[nodiscard]] std::optional<std::string> first_non_finite(const FlatLayout& layout, std::span<const float> flat);

/// Starting values: keyed by (seed, tensor name), so they depend neither on the order of tensors nor on who asks. Counter i of a
/// tensor gives elements 2i and 2i + 1 (normal: Box and Muller 1958, in double).
void initialise(const FlatLayout& layout, std::uint64_t seed, std::span<float> flat);

/// The tensors of a flat array in name order; `prefix` goes before every name. Of trained tensors only, if asked. `memory`: tensors of an
/// earlier such call, to be emptied.
[[nodiscard]] std::vector<NamedTensor> to_tensors(const FlatLayout& layout, std::span<const float> flat, const std::string& prefix = "",
                                                  bool trained_only = false, std::span<NamedTensor> memory = {});

/// The reverse; a tensor that `tensors` lacks stays as it is. Requires shapes that agree.
void from_tensors(const FlatLayout& layout, std::span<const NamedTensor> tensors, std::span<float> flat, const std::string& prefix = "");

/// Tensors by their names, as bytes.
[[nodiscard]] std::vector<const NamedTensor*> in_name_order(std::span<const NamedTensor> tensors);

/// SHA-256 (64 hexadecimal digits) over the values of all tensors in name order, little-endian f32: what a safetensors file holds after
/// its header.
[[nodiscard]] std::string parameter_hash(std::span<const NamedTensor> tensors);

}  // namespace lockstep
