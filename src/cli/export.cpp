#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "cli/commands.hpp"
#include "cli/trained.hpp"
#include "data/describe_data.hpp"
#include "formats/data_names.hpp"
#include "formats/onnx.hpp"
#include "formats/safetensors.hpp"
#include "train/metrics.hpp"
#include "train/parameters.hpp"
#include "train/whole_file.hpp"

namespace lockstep::cli {
namespace {

using Json = nlohmann::ordered_json;

/// The graphs and what the data were like, as JSON texts.
OnnxFacts facts_of(const Checkpoint& checkpoint) {
  const Json data = description_of(checkpoint);
  OnnxFacts facts{{}, {}, {{"lockstep_model", checkpoint.model}}};
  for (const auto& [field, statistics] : statistics_in(data)) {
    facts.mean[field] = statistics.mean;
    facts.std[field] = statistics.std;
  }
  facts.metadata["mean"] = Json(facts.mean).dump();
  facts.metadata["std"] = Json(facts.std).dump();
  facts.metadata["classes"] = data.value("classes", Json::array()).dump();
  if (const ColumnNames columns = names_in(data).columns; !columns.empty()) {
    facts.metadata["columns"] = Json(columns).dump();
  }
  return facts;
}

std::string onnx_of(const Checkpoint& checkpoint) {
  const auto values = [&](const std::string& name) -> std::span<const float> {
    return std::ranges::find(checkpoint.parameters, name, &NamedTensor::name)->values;
  };
  const Model model = Model::from_json(checkpoint.model);
  OnnxFacts facts = facts_of(checkpoint);
  for (const auto& [output, ref] : model.program("evaluate").outputs()) {
    if (const Statistics units = units_of(model, description_of(checkpoint), output); !units.mean.empty()) {
      facts.mean[output] = units.mean;
      facts.std[output] = units.std;
    }
  }
  return to_onnx(model.program("evaluate"), values, facts);
}

}  // namespace

int run_export(const Arguments& arguments) {
  Options options("export", "write a trained model for other programs: safetensors, or ONNX",
                  "lockstep export --run runs/first --to model.onnx");
  options.add().add_options()                                                             //
      ("run", po::value<std::string>()->required()->value_name("DIR"), "the run folder")  //
      ("to", po::value<std::string>()->required()->value_name("FILE"),
       "FILE.safetensors: the parameters, with mean, std, names and graph in the metadata; FILE.onnx: a graph for any number of samples");
  if (!options.parse(arguments)) {
    return 0;
  }
  const std::string file = options.values()["to"].as<std::string>();
  const bool onnx = file.ends_with(".onnx");
  if (!onnx && !file.ends_with(".safetensors")) {
    throw UsageError(fmt::format("--to {}: the file's name ends in .safetensors or .onnx", file));
  }
  const Checkpoint checkpoint = load_trained(options.values()["run"].as<std::string>(), "export");
  if (onnx) {
    write_whole_file(file, std::string_view(onnx_of(checkpoint)));
  } else {
    std::map<std::string, std::string> metadata = facts_of(checkpoint).metadata;
    metadata["format"] = "pt";
    write_safetensors(file, checkpoint.parameters, metadata);
  }
  std::cout << fmt::format("{}: {} tensors of step {}, parameter hash {}\n", file, checkpoint.parameters.size(), checkpoint.step,
                           parameter_hash(checkpoint.parameters));
  return 0;
}

}  // namespace lockstep::cli
