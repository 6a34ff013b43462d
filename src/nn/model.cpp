#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "graph/json.hpp"
#include "lockstep/nn.hpp"
#include "ops/table.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kSomeSamples = 2;  // programs are written for kBatch; any number shows their shapes
constexpr std::int64_t kModelFormat = 1;

}  // namespace

Model make_model(const std::function<void(nn::Scope&)>& write) {
  Model model;
  for (const bool training : {true, false}) {
    const auto [it, fresh] = model.programs.emplace(training ? "train" : "evaluate", Graph(kSomeSamples));
    nn::Scope scope{it->second, training};
    write(scope);
    if (!it->second.has_output("loss")) {
      throw UsageError("the model declares no output 'loss'");
    }
  }
  return model;
}

const Graph& Model::program(const std::string& name) const {
  const auto it = programs.find(name);
  if (it == programs.end()) {
    throw UsageError(fmt::format("the model has no program '{}'", name));
  }
  return it->second;
}

std::int64_t Model::parameter_count() const {
  std::int64_t count = 0;
  for (const Node& node : program("train").nodes()) {
    count += node.op == &leaf::parameter() ? node.outputs[0].elements() : 0;
  }
  return count;
}

std::int64_t Model::least_lane() const {
  for (const Node& node : program("train").nodes()) {
    if (node.op->name() == "batch_norm") {
      return 2;
    }
  }
  return 1;
}

std::string Model::json() const {
  nlohmann::ordered_json json{{"lockstep_model", kModelFormat}, {"programs", nlohmann::ordered_json::object()}};
  for (const auto& [name, graph] : programs) {
    json["programs"][name] = to_json(graph);
  }
  return json.dump();
}

Model Model::from_json(const std::string& text) {
  const auto json = nlohmann::ordered_json::parse(text, nullptr, false);
  if (!json.is_object() || !json.contains("programs") || json.value("lockstep_model", 0) != kModelFormat) {
    throw UsageError(fmt::format("this is no model in JSON of format {}", kModelFormat));
  }
  Model model;
  for (const auto& [name, graph] : json["programs"].items()) {
    model.programs.emplace(name, graph_from_json(graph, kSomeSamples, op_named));
  }
  return model;
}

}  // namespace lockstep
