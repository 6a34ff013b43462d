#pragma once

#include "data/hdf5.hpp"

namespace lockstep {

/// Elements of another type (real or whole, of 1, 2, 4 or 8 bytes) as f32, i32 or u8. Requires in.size() / from.bytes elements in both.
/// False if `to` is i32 or u8 and some value is not a whole number in its range.
[[nodiscard]] bool convert_elements(ElementType from, std::span<const std::byte> in, DType to, std::span<std::byte> out);

}  // namespace lockstep
