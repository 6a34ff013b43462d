#include "formats/onnx.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "formats/protobuf.hpp"
#include "lockstep/nn.hpp"
#include "ops/one_hot/one_hot.hpp"
#include "ops/table.hpp"
#include "runtime/reference.hpp"

namespace lockstep {
namespace {

TEST(Protobuf, WritesTheBytesOfItsSpecification) {
  // The examples of protobuf.dev/programming-guides/encoding: 150 in field 1, "testing" in field 2, the first as field 3.
  const ProtoMessage number = ProtoMessage().integer(1, 150);
  EXPECT_EQ(number.bytes(), "\x08\x96\x01");
  EXPECT_EQ(ProtoMessage().text(2, "testing").bytes(), "\x12\x07testing");
  EXPECT_EQ(ProtoMessage().message(3, number).bytes(), "\x1a\x03\x08\x96\x01");
  EXPECT_EQ(ProtoMessage().integer(1, -1).bytes(), "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01");
  EXPECT_EQ(ProtoMessage().real(20, 1).bytes(), std::string("\xa5\x01\0\0\x80\x3f", 6));
}

/// Numbers of a leaf: spread over [−1, 1), integers 0 or 1, variances above 0.
std::vector<double> numbers(const std::string& name, const TensorType& type, std::uint32_t& random) {
  std::vector<double> values(static_cast<std::size_t>(type.elements()));
  for (double& value : values) {
    random = random * 1664525U + 1013904223U;
    const double unit = random / 0x1p32;
    value = type.dtype == DType::i32 ? (unit < 0.5 ? 0 : 1) : static_cast<float>(name.ends_with("_var") ? 0.5 + unit : 2 * unit - 1);
  }
  return values;
}

nlohmann::json tensor(const TensorType& type, const std::vector<double>& values) {
  return {{"dtype", type.dtype == DType::f32 ? "float32" : "int32"}, {"shape", type.shape.dims()}, {"values", values}};
}

/// Writes a model as ONNX, and a case for it: inputs of five samples and what the reference kernels make of them. With statistics of the
/// input, outputs are in units of 2 from 3.
void write_case(const std::filesystem::path& folder, const Model& model, const std::vector<double>& mean = {},
                const std::vector<double>& std = {}) {
  const Graph graph = model.program("evaluate").rebatch(5);
  std::uint32_t random = 7;
  NamedNumbers leaves;
  std::map<std::string, std::vector<float>> parameters;
  nlohmann::json inputs, outputs;
  for (const Node& node : graph.nodes()) {
    if (node.op == &leaf::input() || node.op == &leaf::parameter() || node.op == &leaf::state()) {
      const std::string& name = node.attrs.text("name");
      std::vector<double>& values = leaves[name] = numbers(name, node.outputs[0], random);
      parameters[name].assign(values.begin(), values.end());
      if (node.op == &leaf::input()) {
        inputs[name] = tensor(node.outputs[0], values);
        const std::size_t area = values.size() / 5 / std::max<std::size_t>(1, mean.size());
        for (std::size_t i = 0; name == "features" && !mean.empty() && i < values.size(); ++i) {
          const std::size_t channel = i / area % mean.size();
          values[i] = (values[i] - mean[channel]) / std[channel];
        }
      }
    }
  }
  OnnxFacts facts{{}, {}, {{"key", "value"}}};
  NamedNumbers wanted = run_reference(graph, leaves, {}, reference_kernel);
  for (const std::string& name : predicted_outputs(graph)) {
    if (!mean.empty()) {
      facts.mean[name] = {3};
      facts.std[name] = {2};
      std::ranges::transform(wanted.at(name), wanted.at(name).begin(), [](double value) { return 2 * value + 3; });
    }
    outputs[name] = tensor(graph.type(graph.output(name)), wanted.at(name));
  }
  const auto values = [&](const std::string& name) { return std::span<const float>(parameters.at(name)); };
  std::filesystem::create_directories(folder);
  if (!mean.empty()) {
    facts.mean["features"] = mean;
    facts.std["features"] = std;
  }
  std::ofstream(folder / "model.onnx", std::ios::binary) << to_onnx(model.program("evaluate"), values, facts);
  std::ofstream(folder / "case.json") << nlohmann::json{{"inputs", inputs}, {"outputs", outputs}};
}

Model built_in(const std::string& name, const Shape& sample, nn::Activation activation = nn::Activation::relu) {
  ModelOptions options;
  options.name = name;
  options.sample = sample;
  options.classes = 5;
  options.hidden = {9, 7};
  options.activation = activation;
  options.batch_norm = options.name == "cnn";
  options.depth = 1;
  options.width = 8;
  options.heads = 2;
  return build_model(options);
}

/// Ops that the built-in models do not use.
Model other_ops() {
  return make_model([](nn::Scope& scope) {
    Graph& graph = scope.graph;
    const Value x = graph.input("x", {kBatch, 3, 4}), index = graph.input("index", {kBatch}, DType::i32);
    const Value w = graph.parameter("w", {2, 4, 3}, Initializer::zeros());
    const Value half = graph.constant(0.5);
    graph.set_output("elementwise", maximum(equal(x, x), add(step(x), mul(erf(x), div(neg(exp(x)), add(softplus(x), half))))));
    graph.set_output("more", log(sqrt(add(square(tanh(x)), half))));
    graph.set_output("activations", add(add(elu(x, 0.7), gelu(x)), add(silu(x), sigmoid(x))));
    graph.set_output("softmax", add(softmax(x), log_softmax(x)));
    graph.set_output("reduced", sub(mean(x, {-1}), sub(max(x, {2}), sum(x, {2}))));
    graph.set_output("all", add(sum(x, {1, 2}), mul(size(x, {1, 2}), mean(w))));
    graph.set_output("shaped", pad(slice(transpose(x, {0, 2, 1}), 1, 1, 3), -1, 1, 2));
    graph.set_output("broadcast", broadcast_to(reshape(mean(x, {2}), {kBatch, 3, 1}), {kBatch, 3, 6}));
    graph.set_output("product", matmul(transpose(x, {0, 2, 1}), slice(reshape(w, {8, 3}), 0, 0, 4), true));
    graph.set_output("hot", concat({one_hot(index, 2), mean(x, {2})}, 1));
    graph.set_output("picked", gather(transpose(x, {1, 0, 2}), graph.input("which", {kBatch}, DType::i32), 0));
    graph.set_output("loss", mean(x, {1, 2}));
  });
}

/// Where Python has onnx and onnxruntime (pip install onnx onnxruntime); LOCKSTEP_ONNX_PYTHON names it.
TEST(Onnx, OnnxRuntimeGivesTheSameOutputs) {
  const char* const chosen = std::getenv("LOCKSTEP_ONNX_PYTHON");
  const std::string python = chosen == nullptr ? "python3" : chosen;
  if (std::system((python + " -c 'import onnx, onnxruntime' 2>/dev/null").c_str()) != 0) {
    GTEST_SKIP() << python << " has no onnxruntime; LOCKSTEP_ONNX_PYTHON names one that has";
  }
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "lockstep-onnx";
  std::filesystem::remove_all(folder);
  write_case(folder / "mlp", built_in("mlp", {2, 3, 3}, nn::Activation::gelu), {0.25}, {0.5});
  write_case(folder / "cnn", built_in("cnn", {3, 8, 8}), {0.1, 0.2, 0.3}, {0.5, 1, 2});
  write_case(folder / "resnet20", built_in("resnet20", {3, 8, 8}));
  write_case(folder / "gpt", built_in("gpt", {6}));
  write_case(folder / "other_ops", other_ops());
  EXPECT_EQ(std::system((python + " " LOCKSTEP_SOURCE_DIR "/tests/formats/check_onnx.py " + folder.string()).c_str()), 0);
  std::filesystem::remove_all(folder);
}

TEST(Onnx, RefusesWhatItHasNoFormOf) {
  const auto written = [](const std::function<void(Graph&, Value)>& write) {
    const Model model = make_model([&](nn::Scope& scope) {
      const Value x = scope.graph.input("x", {kBatch, 4});
      scope.graph.set_output("loss", mean(x, {1}));
      write(scope.graph, x);
    });
    return to_onnx(model.program("evaluate"), [](const std::string&) { return std::span<const float>(); }, {});
  };
  EXPECT_THROW(static_cast<void>(written([](Graph&, Value) {})), UsageError) << "nothing is predicted";
  EXPECT_THROW(static_cast<void>(written([](Graph& graph, Value x) { graph.set_output("y", dropout(x, 0.5, "y")); })), UsageError);
  EXPECT_THROW(static_cast<void>(written([](Graph& graph, Value x) { graph.set_output("y", mul(x, size(x, {0}))); })), UsageError);
  EXPECT_THROW(static_cast<void>(written([](Graph& graph, Value x) { graph.set_output("x", relu(x)); })), UsageError);
  EXPECT_NE(written([](Graph& graph, Value x) { graph.set_output("y", relu(x)); }), "");
}

}  // namespace
}  // namespace lockstep
