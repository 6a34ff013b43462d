#pragma once

#include <filesystem>
#include <span>

#include "cli/options.hpp"

namespace lockstep::cli {

/// What a model is to learn: --loss, --class-weights, --augment, --top-k.
void add_task_options(po::options_description& options);

/// The model that the options ask for: that of a file, or a built-in one with outputs and a loss for the labels of this dataset.
[[nodiscard]] Model model_for(const po::variables_map& values, const Dataset& training);
/// With the classes weighted as the options say. "balanced": all classes weigh the same, samples / (classes · samples of the class).
[[nodiscard]] Model with_class_weights(Model model, const po::variables_map& values, const Dataset& training);

/// With the images changed in training as --augment says.
[[nodiscard]] Model with_augmentation(Model model, const po::variables_map& values);

/// Throws DataError where the model's evaluation reads labels and the dataset has none.
void require_labels(const Model& model, const Dataset& dataset);

/// A line a label, a column for each class that the model said; names of classes in the first line and column.
void write_confusion(const std::filesystem::path& file, std::span<const double> counts, const Dataset& dataset);

}  // namespace lockstep::cli
