#include "train/sample_weights.hpp"

#include <algorithm>

#include "train/job.hpp"

namespace lockstep {

Model weigh_samples(Model model) {
  const std::vector<Field> inputs = inputs_of(model);
  if (std::ranges::find(inputs, "weight", &Field::name) != inputs.end()) {
    return model;
  }
  Graph& graph = model.programs.at("train");
  const Value loss{&graph, graph.output("loss")};
  graph.set_output("loss", mul(loss, graph.input("weight", {kBatch})));
  return model;
}

}  // namespace lockstep
