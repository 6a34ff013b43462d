#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.hpp"
#include "data/dataset.hpp"

namespace lockstep::cli {

/// --input, --target, --weight: what to read of HDF5 files made elsewhere.
void add_field_options(po::options_description& options);
/// What they say; empty: the data are a dataset of ours.
[[nodiscard]] std::vector<FieldSource> field_sources(const po::variables_map& values);

/// The files that a list of paths and patterns names ("a.h5,parts/*.h5"); those of one pattern in the order of their bytes.
/// Throws DataError for a pattern or path that is of no file.
[[nodiscard]] std::vector<std::filesystem::path> expand_files(const std::string& list);

/// The datasets of a training run.
struct RunData {
  Dataset training;
  std::optional<Dataset> validation;
  std::optional<Dataset> test;
};
/// Opens what --data, --test and --validation name. Files made elsewhere are looked through once by rank 0, for the training set's
/// statistics. Throws DataError where the others name other columns or classes than the training set. Every worker must call it.
[[nodiscard]] RunData open_data(const po::variables_map& values, Communicator& communicator);

/// A dataset to evaluate on, taken as the description of the training set says, or as --input … say if they are given.
/// Without `targets` files made elsewhere need hold none. Throws DataError where it names other columns or (with `targets`) classes.
[[nodiscard]] Dataset open_like(const nlohmann::ordered_json& description, const po::variables_map& values, bool targets = true);

}  // namespace lockstep::cli
