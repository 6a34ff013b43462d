#include "cli/task_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "formats/csv_cell.hpp"
#include "train/job.hpp"
#include "train/read_number.hpp"
#include "train/whole_file.hpp"

namespace lockstep::cli {
namespace {

nn::Loss loss_for(const po::variables_map& values, const Field& labels) {
  constexpr std::array<std::string_view, 4> kLosses{"auto", "cross-entropy", "squared-error", "sigmoid-cross-entropy"};
  const std::size_t chosen = choice(values, "loss", kLosses);
  if (chosen > 0) {
    return std::array{nn::Loss::cross_entropy, nn::Loss::squared_error, nn::Loss::sigmoid_cross_entropy}.at(chosen - 1);
  }
  return labels.dtype == DType::i32 ? nn::Loss::cross_entropy : nn::Loss::squared_error;
}

std::vector<double> balanced(const Dataset& training, std::size_t classes) {
  std::vector<double> counts(classes);
  double all = 0;
  training.for_each_label([&](std::int32_t label, const ChunkInfo&, std::int64_t) {
    if (label >= 0 && static_cast<std::size_t>(label) < classes) {
      counts[static_cast<std::size_t>(label)] += 1;
    }
    all += 1;
  });
  for (double& count : counts) {
    count = count > 0 ? all / (static_cast<double>(classes) * count) : 0;
  }
  return counts;
}

std::vector<double> parse_weights(const std::string& text) {
  std::vector<double> weights;
  for (const std::string& item : split_names(text)) {
    const auto weight = read_number<double>(item);
    if (!weight || !(*weight >= 0) || !std::isfinite(*weight)) {
      throw UsageError(
          fmt::format("--class-weights {}: '{}' is no weight; give one number from 0 on for each class, or balanced", text, item));
    }
    weights.push_back(*weight);
  }
  return weights;
}

[[noreturn]] void refuse_without_labels(const Dataset& dataset) {
  throw DataError(fmt::format(
      "{}: has no labels, which train and evaluate compare with what the model says.\n  {} lockstep predict needs none.",
      dataset.path().string(),
      dataset.readings().empty() ? "Import it again with a target (import csv: --target COLUMN)." : "Say what they are: --target /PATH."));
}

}  // namespace

void add_task_options(po::options_description& options) {
  options.add_options()  //
      ("loss", po::value<std::string>()->default_value("auto"),
       "cross-entropy (a class a sample), squared-error (numbers), sigmoid-cross-entropy (several labels a sample, zeros and ones) or "
       "auto: by "
       "the type of the labels")  //
      ("class-weights", po::value<std::string>()->value_name("LIST"),
       "weights of the classes in the training loss: a number each, or balanced (all classes weigh the same)")  //
      ("augment", po::value<std::string>()->value_name("LIST"),
       "of images in training, such as crop:4,flip: moved by up to so many pixels, mirrored left to right")  //
      ("top-k", po::value<std::int64_t>()->default_value(5), "tell how often the label is among the k greatest logits, too");
}

Model model_for(const po::variables_map& values, const Dataset& training) {
  if (std::optional<Model> model = model_from_file(values)) {
    if (values["loss"].as<std::string>() != "auto") {
      throw UsageError(
          fmt::format("--loss {}: {} says what its loss is", values["loss"].as<std::string>(), values["model"].as<std::string>()));
    }
    return *std::move(model);
  }
  if (!training.has_field("labels")) {
    refuse_without_labels(training);
  }
  const Field& labels = training.field("labels");
  const nn::Loss loss = loss_for(values, labels);
  const bool classes = loss == nn::Loss::cross_entropy;
  if (classes && labels.dtype != DType::i32) {
    throw UsageError(fmt::format("--loss cross-entropy needs labels that are classes (i32), but these are {}", name_of(labels.dtype)));
  }
  ModelOptions options =
      model_options(values, training.field("features").sample, classes ? count_classes(training) : labels.sample.elements());
  options.loss = loss;
  options.labels = labels.sample;
  options.label_type = labels.dtype == DType::i32 ? DType::i32 : DType::f32;
  if (loss == nn::Loss::squared_error && labels.dtype == DType::i32) {
    throw UsageError("--loss squared-error needs labels that are numbers (f32), but these are classes (i32)");
  }
  if (loss == nn::Loss::sigmoid_cross_entropy && labels.sample.rank() != 1) {
    throw UsageError(
        fmt::format("--loss sigmoid-cross-entropy needs labels [n, k], a zero or one each, but a sample's are {}", labels.sample.str()));
  }
  return build_model(options);
}

Model with_class_weights(Model model, const po::variables_map& values, const Dataset& training) {
  if (!values.contains("class-weights")) {
    return model;
  }
  const std::string text = values["class-weights"].as<std::string>();
  if (text != "balanced") {
    return weigh_classes(std::move(model), parse_weights(text));
  }
  const Graph& graph = model.program("evaluate");
  const std::int64_t classes = graph.has_output("logits") ? graph.type(graph.output("logits")).shape[-1] : 0;
  const bool counted = training.has_field("labels") && training.field("labels").dtype == DType::i32;
  const std::vector<double> weights = counted ? balanced(training, static_cast<std::size_t>(classes)) : std::vector<double>();
  return weigh_classes(std::move(model), weights);
}

Model with_augmentation(Model model, const po::variables_map& values) {
  if (!values.contains("augment")) {
    return model;
  }
  std::int64_t crop = 0;
  bool flip = false;
  const std::string text = values["augment"].as<std::string>();
  for (const std::string& item : split_names(text)) {
    if (item == "flip") {
      flip = true;
    } else if (item.starts_with("crop:") && item.size() > 5) {
      crop = parse_list(item.substr(5)).at(0);
    } else {
      throw UsageError(fmt::format("--augment {}: '{}' is neither crop:PIXELS nor flip", text, item));
    }
  }
  return augment_images(model, crop, flip);
}

void require_labels(const Model& model, const Dataset& dataset) {
  const std::vector<Field> inputs = inputs_of(model, "evaluate");
  if (std::ranges::find(inputs, "labels", &Field::name) != inputs.end() && !dataset.has_field("labels")) {
    refuse_without_labels(dataset);
  }
}

void write_confusion(const std::filesystem::path& file, std::span<const double> counts, const Dataset& dataset) {
  const auto classes = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(counts.size()))));
  const auto name = [&](std::size_t c) {
    return csv_cell(c < dataset.class_names().size() ? dataset.class_names()[c] : fmt::format("{}", c));
  };
  std::string text = "label";
  for (std::size_t c = 0; c < classes; ++c) {
    text += fmt::format(",{}", name(c));
  }
  for (std::size_t c = 0; c < classes; ++c) {
    text += "\n" + name(c);
    for (std::size_t said = 0; said < classes; ++said) {
      text += fmt::format(",{}", counts[c * classes + said]);
    }
  }
  write_whole_file(file, text + "\n");
}

}  // namespace lockstep::cli
