// Readers of models, weights and settings: safetensors, model files, config files.
#include <cstring>

#include "cli/data_options.hpp"
#include "cli/options.hpp"
#include "cli/recipe_options.hpp"
#include "cli/task_options.hpp"
#include "formats/safetensors.hpp"
#include "fuzz/target.hpp"
#include "lockstep/nn.hpp"
#include "plan/compile.hpp"
#include "train/parameters.hpp"
#include "train/schedule.hpp"

namespace lockstep::fuzz {
namespace {

void run_safetensors(std::span<const std::uint8_t> bytes) {
  const Safetensors found = read_safetensors(scratch_file("weights.safetensors", bytes));
  static_cast<void>(parameter_hash(found.tensors));
}

Bytes safetensors(std::string_view header, std::size_t data) {
  const std::uint64_t length = header.size();
  Bytes begin(sizeof length);
  std::memcpy(begin.data(), &length, sizeof length);
  return joined({begin, bytes_of(header), Bytes(data, 7)});
}

std::vector<Bytes> safetensors_seeds() {
  return {
      safetensors(R"({"__metadata__":{"format":"pt"},"a.weight":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                  R"("b":{"dtype":"F16","shape":[],"data_offsets":[24,26]},"c":{"dtype":"I64","shape":[1],"data_offsets":[26,34]}})",
                  34),
      safetensors(R"({"a":{"dtype":"BF16","shape":[4],"data_offsets":[0,8]},"b":{"dtype":"F64","shape":[1],"data_offsets":[8,16]}})", 16),
      safetensors(R"({"a":{"dtype":"F32","shape":[1152921504606846976],"data_offsets":[0,4611686018427387904]}})", 8),
      safetensors(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", 4),
      safetensors(R"({"a":{"dtype":"F32","shape":[0,9223372036854775807],"data_offsets":[0,0]},"b":{"dtype":[],"shape":[-1]}})", 0),
      safetensors(std::string(3000, '['), 0)};
}

/// What is read can be written and read again, planned and differentiated.
void run_model(std::span<const std::uint8_t> bytes) {
  const Model model = Model::from_json({bytes.begin(), bytes.end()});
  static_cast<void>(Model::from_json(model.json()));
  static_cast<void>(flat_layout(train_lane_graph(model.program("train"))));
  static_cast<void>(evaluate_lane_graph(model.program("evaluate")));
}

std::vector<Bytes> model_seeds() {
  std::vector<Bytes> seeds;
  for (const char* const name : {"mlp", "cnn", "resnet20", "gpt"}) {
    ModelOptions options;
    options.name = name;
    options.sample = std::string_view(name) == "gpt" ? Shape{4} : Shape{1, 8, 8};
    options.hidden = {3};
    options.depth = 1;
    options.dropout = 0.5;
    options.width = 4;
    options.heads = 2;
    options.classes = 3;
    seeds.push_back(bytes_of(build_model(options).text()));
  }
  seeds.push_back(bytes_of(R"({"lockstep_model": 2, "graph": {"nodes": [ // two losses
 {"name": "x", "op": "input", "attrs": {"shape": [-1, 1, 8, 8]}}, {"name": "k", "op": "input", "attrs": {"shape": [-1], "dtype": "i32"}},
 {"name": "conv", "layer": "conv2d", "inputs": ["x"], "attrs": {"channels": 2, "kernel": 3, "padding": 1}},
 {"name": "p", "op": "max_pool", "inputs": ["conv"], "attrs": {"window": 2, "stride": 2, "padding": 0}},
 {"name": "f", "layer": "flatten", "inputs": ["p"]}, {"name": "c", "op": "concat", "inputs": ["f", "f"], "attrs": {"axis": 1}},
 {"name": "n", "layer": "batch_norm", "inputs": ["c"]}, {"name": "l", "layer": "layer_norm", "inputs": ["n"]},
 {"name": "d", "layer": "dropout", "inputs": ["l"], "attrs": {"rate": 0.1}},
 {"name": "y", "layer": "dense", "inputs": ["d"], "attrs": {"outputs": 3, "init": "glorot"}},
 {"name": "e", "op": "softmax_cross_entropy", "inputs": ["y", "k"]}, {"name": "h", "op": "constant", "attrs": {"value": 0.5}},
 {"name": "m", "op": "mul", "inputs": ["e:0", "h"]}], "outputs": {"loss:a": "e", "loss:b": "m", "logits": "y"}}})"));
  seeds.push_back(bytes_of(R"({"lockstep_model": 2, "graph": {"nodes": [
 {"name": "x", "op": "input", "attrs": {"shape": [-1, 4, 6]}}, {"name": "w", "op": "parameter", "attrs": {"shape": [6], "init": "he"}},
 {"name": "s", "op": "state", "attrs": {"shape": [6], "momentum": 0.1}}, {"name": "b", "op": "add", "inputs": ["x", "w"]},
 {"name": "r", "op": "reshape", "inputs": ["b"], "attrs": {"shape": [-1, 24]}},
 {"name": "t", "op": "transpose", "inputs": ["b"], "attrs": {"permutation": [0, 2, 1]}},
 {"name": "i", "op": "slice", "inputs": ["r"], "attrs": {"axis": 1, "begin": 2, "length": 5}},
 {"name": "q", "op": "pad", "inputs": ["i"], "attrs": {"axis": 1, "before": 2, "after": 1}},
 {"name": "u", "op": "sum", "inputs": ["t"], "attrs": {"axes": [0, 2], "keep": 0}}, {"name": "v", "op": "square", "inputs": ["q"]},
 {"name": "e", "op": "mean", "inputs": ["v"], "attrs": {"axes": [1], "keep": false}}, {"name": "a", "op": "mean", "inputs": ["b"],
 "attrs": {"axes": [0, 1], "keep": 0}}], "outputs": {"loss": "e", "state:s": "a"}}})"));
  seeds.push_back(bytes_of(R"({"lockstep_model": 2, "graph": {"nodes": [{"name": "x", "op": "input", "attrs": {"shape": [-1, 4]}},
 {"name": "w", "op": "parameter", "attrs": {"shape": [1152921504606846976, 1152921504606846976], "init": "he"}},
 {"name": "y", "layer": "dense", "inputs": ["x"], "attrs": {"outputs": 9223372036854775807}}], "outputs": {"loss": "y"}}})"));
  seeds.push_back(bytes_of(std::string(3000, '[')));
  seeds.push_back(bytes_of(R"({"lockstep_model": 2, "graph": {"nodes": [{"op": "relu", "attrs": {"x": )" + std::string(2000, '[') +
                           std::string(2000, ']') + "}}]}}"));
  return seeds;
}

/// As `train` reads --config, and what it makes of the options; the model for rows [1, 8, 8] of 10 classes.
void run_config(std::span<const std::uint8_t> bytes) {
  namespace po = boost::program_options;
  cli::Options options("train", "", "");
  options.add().add_options()("data", po::value<std::string>())("run", po::value<std::string>())(
      "batch", po::value<std::int64_t>()->default_value(128))("cache", po::value<std::string>()->default_value("1GiB"))(
      "log-every", po::value<std::string>()->default_value("30s"));
  cli::add_field_options(options.add());
  cli::add_model_options(options.add());
  cli::add_task_options(options.add());
  cli::add_recipe_options(options.add());
  if (!options.parse({"--config", scratch_file("run.ini", bytes).string()})) {
    return;
  }
  const po::variables_map& values = options.values();
  static_cast<void>(options.ini());
  static_cast<void>(cli::parse_bytes(values["cache"].as<std::string>()));
  static_cast<void>(cli::parse_seconds(values["log-every"].as<std::string>()));
  static_cast<void>(cli::field_sources(values));
  static_cast<void>(schedule_from(values["schedule"].as<std::string>(), 0));
  static_cast<void>(cli::recipe_from(values));
  static_cast<void>(build_model(cli::model_options(values, Shape{1, 8, 8}, 10)));
}

std::vector<Bytes> config_seeds() {
  return {bytes_of("# a run\ndata = d\nbatch = 64\nmodel = mlp\nhidden = 4,2\nactivation = tanh\ndropout = 0.1\nlr = 0.1\nlr = 0.2@fc.*\n"
                   "penalty = elastic:0.1,1e-3@*.weight\nschedule = step:3:0.5\noptimizer = adamw\nbetas = 0.9,0.99\nweight-decay = 1\n"),
          bytes_of("model=gpt\ndepth=2\nwidth=8\nheads=2\nschedule=one-cycle\nwarmup=3\ncache=1.5GiB\nlog-every=2m\nema=0.999\nclip=1\n"),
          bytes_of("model = resnet20\ndepth = 1\nwidth = 4\nbatch-norm = true\nnesterov = 1\ntrust = 1e-4\noptimizer = lars\n"),
          bytes_of("input = features=/x:nhwc\ntarget = /y:one-hot\nweight = /w\nmodel = cnn\npenalty = l1:1e999\n"),
          bytes_of("[section]\nbatch = 9223372036854775808\n"),
          bytes_of("hidden = 1000000000000,99999999999999\n"),
          bytes_of("model = gpt\ndepth = 9223372036854775807\n"),
          bytes_of("model = resnet20\nwidth = 4611686018427387904\ndepth = 1\n")};
}

}  // namespace

const Target kSafetensors{"safetensors", run_safetensors, safetensors_seeds};
const Target kModel{"model", run_model, model_seeds};
const Target kConfig{"config", run_config, config_seeds};

}  // namespace lockstep::fuzz
