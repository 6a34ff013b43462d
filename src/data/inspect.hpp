#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace lockstep {

/// Reads a whole dataset (or the datasets train/, test/ … in a folder) and tells what is in it: fields, shapes, chunks, range and mean of
/// each field, samples of each class, and a line for each thing that would trouble training, with what mends it. Throws DataError when
/// there is no dataset or it is damaged.
[[nodiscard]] std::string inspect(const std::filesystem::path& path);

/// A line of advice if a dataset has fewer than 10 chunks for each of 8 or of 64 lanes; else empty. Datasets small enough for order
/// `sample` are read whole into memory, however they are cut, so they get none.
[[nodiscard]] std::string chunk_verdict(std::int64_t chunks, std::size_t dataset_bytes);

}  // namespace lockstep
