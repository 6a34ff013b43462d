#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "data/dataset.hpp"

namespace lockstep {

struct InspectOptions {
  std::int64_t lanes = 0;    ///< that chunks should suffice for; 0: 8 and 64
  std::int64_t classes = 0;  ///< that labels should be of; 0: as many as there are names
  std::string data{};        ///< how the user named the dataset: for the commands that mend it; empty: its path
};

/// Reads a whole dataset and tells what is in it: fields, shapes, chunks, range and mean of each field, samples of each class, and a line
/// for each thing that would trouble training, with what mends it. Throws DataError when it is damaged.
[[nodiscard]] std::string inspect_dataset(const Dataset& dataset, const InspectOptions& options);

/// The same for a folder, or for the datasets train/, test/ … in it; for an HDF5 file, what it holds. Throws DataError when there is none.
[[nodiscard]] std::string inspect(const std::filesystem::path& path, const InspectOptions& options = {});

/// What is wrong if a dataset of `rows` has fewer than 10 chunks for each lane (`lanes` 0: of 8 or of 64), and the `--chunk-rows` that
/// would do (0: none would); else nothing. Datasets small enough for order `sample` are read whole into memory, however they are cut, so
/// they get none.
struct ChunkVerdict {
  std::string trouble;
  std::int64_t chunk_rows = 0;
};
[[nodiscard]] std::optional<ChunkVerdict> chunk_verdict(std::int64_t chunks, std::int64_t rows, std::size_t dataset_bytes,
                                                        std::int64_t lanes = 0);

}  // namespace lockstep
