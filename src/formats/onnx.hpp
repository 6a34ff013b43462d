#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "lockstep/graph.hpp"

namespace lockstep {

/// What a file holds besides the graph and its tensors.
struct OnnxFacts {
  /// By name, one a channel or one for all. Of an input: the file takes what the dataset stores. Of an output: it gives value · std + mean.
  std::map<std::string, std::vector<double>> mean, std;
  std::map<std::string, std::string> metadata;
};

/// Names of the outputs that predict something: all but losses, `correct` and states.
[[nodiscard]] std::vector<std::string> predicted_outputs(const Graph& graph);

/// An ONNX file (opset 17) of an evaluation program, for any number of samples "n": its predicted outputs, and the inputs that they need.
/// `values` gives a parameter's or state's numbers by name. Throws UsageError naming an op that ONNX has no form of (random numbers), a
/// shape that depends on the number of samples in more than one axis, or that nothing is predicted.
[[nodiscard]] std::string to_onnx(const Graph& evaluate, const std::function<std::span<const float>(const std::string&)>& values,
                                  const OnnxFacts& facts);

}  // namespace lockstep
