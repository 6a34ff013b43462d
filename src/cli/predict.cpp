#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <iostream>

#include "cli/commands.hpp"
#include "cli/data_options.hpp"
#include "cli/predictor.hpp"
#include "cli/trained.hpp"
#include "data/describe_data.hpp"
#include "formats/csv_cell.hpp"
#include "formats/data_names.hpp"
#include "runtime/cores.hpp"
#include "train/metrics.hpp"
#include "train/whole_file.hpp"

namespace lockstep::cli {
namespace {

/// What is told of each sample.
struct Predictions {
  Metrics::Task task = Metrics::Task::none;  ///< none: the numbers are the output's as they are
  std::vector<std::string> names;            ///< of the classes, or of a sample's outputs
  std::vector<std::int64_t> sample;          ///< of one sample's numbers
  std::vector<std::int32_t> classes;         ///< [n] where a sample has one
  std::vector<float> numbers;                ///< [n, ...]: probabilities, or values in the units of the data
};

bool is_share(Metrics::Task task) { return task == Metrics::Task::classes || task == Metrics::Task::several; }

/// Of each class or output: as the data name them, else numbers.
std::vector<std::string> output_names(const nlohmann::ordered_json& description, Metrics::Task task, std::size_t count) {
  DataNames known = names_in(description);
  const std::vector<std::string>& targets = known.columns["labels"];
  std::vector<std::string> names = task == Metrics::Task::numbers && targets.size() == count ? targets : known.classes;
  for (std::size_t i = names.size(); i < count; ++i) {
    names.push_back(fmt::format("{}", i));
  }
  names.resize(count);
  return names;
}

Predictions predict(Predictor& predictor, Metrics::Task task, const Dataset& dataset, const nlohmann::ordered_json& description,
                    const Statistics& labels) {
  const auto width = static_cast<std::size_t>(predictor.shape().elements());
  const std::size_t last = predictor.shape().rank() == 0 ? 1 : static_cast<std::size_t>(predictor.shape()[-1]);
  Predictions result{task, output_names(description, task, last), predictor.shape().dims(), {}, {}};
  const bool one_class = task == Metrics::Task::classes && predictor.shape().rank() == 1;
  result.numbers.reserve(width * static_cast<std::size_t>(dataset.rows()));
  predictor.run(dataset, {0, dataset.rows()}, [&](std::int64_t, std::span<const float> outputs) {
    const std::size_t begin = result.numbers.size();
    result.numbers.insert(result.numbers.end(), outputs.begin(), outputs.end());
    to_units(task, predictor.shape(), labels, std::span(result.numbers).subspan(begin));
    if (one_class) {
      result.classes.push_back(static_cast<std::int32_t>(std::ranges::max_element(outputs) - outputs.begin()));
    }
  });
  return result;
}

/// A line a sample: its row, its class, and each probability or value.
std::string csv(const Predictions& said) {
  const std::size_t width = static_cast<std::size_t>(Shape(said.sample).elements());
  std::string line = "row";
  if (!said.classes.empty()) {
    line += ",prediction";
  }
  for (std::size_t i = 0; i < width; ++i) {
    const std::string name = said.sample.size() > 1 ? fmt::format("{}", i) : said.names[i % said.names.size()];
    line += "," + csv_cell(is_share(said.task) ? "p:" + name : width == 1 ? "prediction" : "prediction:" + name);
  }
  std::string text = line + "\n";
  for (std::size_t row = 0; row * width < said.numbers.size(); ++row) {
    line = fmt::format("{}", row);
    if (!said.classes.empty()) {
      line += "," + csv_cell(said.names[static_cast<std::size_t>(said.classes[row])]);
    }
    for (std::size_t i = 0; i < width; ++i) {
      line += fmt::format(",{}", said.numbers[row * width + i]);
    }
    text += line + "\n";
  }
  return text;
}

std::vector<std::byte> hdf5(const Predictions& said, std::int64_t rows) {
  Hdf5File file = Hdf5File::create_in_memory();
  std::vector<std::int64_t> dims = said.sample;
  dims.insert(dims.begin(), rows);
  if (!said.classes.empty()) {
    file.write<std::int32_t>("/classes", {rows}, said.classes);
  }
  file.write<float>(is_share(said.task) ? "/probabilities" : "/values", dims, said.numbers);
  file.set_attribute("names", said.names);
  return file.image();
}

}  // namespace

int run_predict(const Arguments& arguments) {
  Options options("predict", "what a trained model says of samples: classes and probabilities, or values in the units of the data",
                  "lockstep predict --run runs/first --data datasets/fashion-mnist --to predictions.csv");
  options.add().add_options()                                                             //
      ("run", po::value<std::string>()->required()->value_name("DIR"), "the run folder")  //
      ("data", po::value<std::string>()->required()->value_name("DIR"),
       "a dataset, DIR/test if there is one, else DIR; or HDF5 files. Labels may be missing")                                 //
      ("to", po::value<std::string>()->value_name("FILE"), "FILE.csv or FILE.h5; else the text goes to the standard output")  //
      ("output", po::value<std::string>()->value_name("NAME"), "of the model; by default logits or prediction")               //
      ("threads", po::value<std::int64_t>()->default_value(0), "0: as many as there are cores");
  add_field_options(options.add());
  if (!options.parse(arguments)) {
    return 0;
  }
  const po::variables_map& values = options.values();
  const std::string to = values.contains("to") ? values["to"].as<std::string>() : "";
  if (!to.empty() && !to.ends_with(".csv") && !to.ends_with(".h5")) {
    throw UsageError(fmt::format("--to {}: the file's name ends in .csv or .h5", to));
  }
  const Checkpoint checkpoint = load_trained(values["run"].as<std::string>(), "predict");
  const Model model = Model::from_json(checkpoint.model);
  const nlohmann::ordered_json description = description_of(checkpoint);
  const Metrics metrics(model);
  const std::string output = values.contains("output") ? values["output"].as<std::string>() : metrics.output();
  if (const Graph& evaluate = model.program("evaluate"); !evaluate.has_output(output)) {
    std::vector<std::string> names;
    for (const auto& [name, ref] : evaluate.outputs()) {
      names.push_back(name);
    }
    throw UsageError(fmt::format("the model has no output called {}; name one with --output: {}",
                                 output.empty() ? "logits or prediction" : output, fmt::join(names, ", ")));
  }
  const std::int64_t threads = values["threads"].as<std::int64_t>();
  Predictor predictor(model, output, checkpoint.parameters,
                      threads > 0 ? static_cast<int>(threads) : static_cast<int>(process_cores().size()));
  const Dataset dataset = open_like(description, values, false);
  const Statistics labels = units_of(model, description, output);
  const Metrics::Task task = output == metrics.output() ? metrics.task()
                             : labels.mean.empty()      ? Metrics::Task::none
                                                        : Metrics::Task::numbers;
  const Predictions said = predict(predictor, task, dataset, description, labels);
  if (to.ends_with(".h5")) {
    write_whole_file(to, hdf5(said, dataset.rows()));
  } else if (to.empty()) {
    std::cout << csv(said);
  } else {
    write_whole_file(to, csv(said));
  }
  if (!to.empty()) {
    std::cout << fmt::format("{}: {} samples\n", to, dataset.rows());
  }
  return 0;
}

}  // namespace lockstep::cli
