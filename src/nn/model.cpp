#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "graph/json.hpp"
#include "lockstep/nn.hpp"
#include "nn/layer_table.hpp"
#include "ops/table.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kModelFormat = 2;

using Json = nlohmann::ordered_json;

/// The total loss of a model that names several: their sum.
void add_up_losses(Graph& graph) {
  Value total;
  for (const auto& [name, ref] : graph.outputs()) {
    if (name.starts_with(kLossPrefix) && !graph.has_output("loss")) {
      total = total ? add(total, graph.value(ref)) : graph.value(ref);
    }
  }
  if (total) {
    graph.set_output("loss", total);
  }
}

/// Every output holds a sample along its first axis, and a loss is one number a sample.
void check_outputs(const std::string& program, const Graph& graph) {
  if (!graph.has_output("loss")) {
    throw UsageError(fmt::format("the program '{}' declares no output 'loss', nor any 'loss:NAME'", program));
  }
  for (const auto& [name, ref] : graph.outputs()) {
    const TensorType& type = graph.type(ref);
    const bool number = name == "loss" || name == "correct" || name.starts_with(kLossPrefix);
    const bool fits = number ? type == TensorType{{graph.batch()}, DType::f32} : type.shape.rank() > 0 && type.shape[0] == graph.batch();
    if (!name.starts_with(kStatePrefix) && !fits) {
      throw ShapeError(fmt::format("the output '{}' of {} samples is {}, but must be {}", name, graph.batch(), type.str(),
                                   number ? fmt::format("f32 [{}], one number a sample", graph.batch())
                                          : fmt::format("[{}, ...], with the samples along its first axis", graph.batch())));
    }
  }
}

/// Parameters and states by name.
std::map<std::string, TensorType> tensors_of(const Graph& graph) {
  std::map<std::string, TensorType> tensors;
  for (const Node& node : graph.nodes()) {
    if (node.op == &leaf::parameter() || node.op == &leaf::state()) {
      tensors.emplace(node.attrs.text("name"), node.outputs[0]);
    }
  }
  return tensors;
}

/// Throws unless both programs are there, fit any number of samples, and share their tensors.
void check_model(const Model& model) {
  constexpr std::int64_t kOtherSamples = 3;
  const auto trained = tensors_of(model.program("train"));
  for (const auto& [program, graph] : model.programs) {
    check_outputs(program, graph.rebatch(kOtherSamples));
    for (const auto& [name, type] : tensors_of(graph)) {
      const auto known = trained.find(name);
      if (known == trained.end() || known->second != type) {
        throw UsageError(fmt::format("the program '{}' reads '{}' {}, but the training program {}", program, name, type.str(),
                                     known == trained.end() ? "has no such tensor" : "has it as " + known->second.str()));
      }
    }
  }
  static_cast<void>(model.program("evaluate"));
}

}  // namespace

Model make_model(const std::function<void(nn::Scope&)>& write) {
  Model model;
  for (const bool training : {true, false}) {
    const auto [it, fresh] = model.programs.emplace(training ? "train" : "evaluate", Graph(Model::kSomeSamples));
    nn::Scope scope{it->second, training};
    write(scope);
    add_up_losses(it->second);
  }
  check_model(model);
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
  Json json{{"lockstep_model", kModelFormat}, {"programs", Json::object()}};
  for (const auto& [name, graph] : programs) {
    json["programs"][name] = to_json(graph);
  }
  return json.dump();
}

std::string Model::text() const {
  const auto lines = [](const Graph& graph) {
    const Json json = to_json(graph);
    std::vector<std::string> nodes;
    for (const Json& node : json["nodes"]) {
      nodes.push_back("    " + node.dump());
    }
    return fmt::format("{{\n   \"nodes\": [\n{}\n   ],\n   \"outputs\": {}}}", fmt::join(nodes, ",\n"), json["outputs"].dump());
  };
  const std::string train = lines(program("train")), evaluate = lines(program("evaluate"));
  return fmt::format("{{\"lockstep_model\": {},\n {}}}\n", kModelFormat,
                     train == evaluate ? fmt::format("\"graph\": {}", train)
                                       : fmt::format("\"programs\": {{\n  \"train\": {},\n  \"evaluate\": {}}}", train, evaluate));
}

Model Model::from_json(const std::string& text) {
  const Json json = parse_json(text);
  if (!json.is_object() || !json.contains("lockstep_model") || json["lockstep_model"] != kModelFormat ||
      json.contains("graph") == json.contains("programs")) {
    throw UsageError(
        fmt::format("this is no model: that is {{\"lockstep_model\": {}, \"graph\": {{...}}}} (or \"programs\")", kModelFormat));
  }
  const bool both = json.contains("graph");
  return make_model([&](nn::Scope& scope) {
    const char* const program = scope.training ? "train" : "evaluate";
    if (!both && !json["programs"].contains(program)) {
      throw UsageError(fmt::format("the model has no program '{}'", program));
    }
    read_graph(scope.graph, both ? json["graph"] : json["programs"][program], op_named,
               [&](const LayerCall& call) { return nn::write_layer(scope, call); });
  });
}

}  // namespace lockstep
