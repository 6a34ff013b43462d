#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>
#include <iostream>

#include "cli/commands.hpp"
#include "plan/compile.hpp"
#include "plan/lane_price.hpp"

namespace lockstep::cli {
namespace {

constexpr double kMiB = 1024.0 * 1024.0;
constexpr std::size_t kMostBucketsShown = 16;

void print_plan(const Model& model, std::int64_t batch, int lanes, bool list) {
  const std::int64_t lane_size = (batch + lanes - 1) / lanes;
  const Graph graph = train_lane_graph(model.program("train").rebatch(lane_size));
  const FlatLayout flat = flat_layout(graph);
  const Plan plan = compile(graph, flat);
  const Cost cost = plan.cost();
  const LaneCost lane = lane_cost(model);
  std::cout << fmt::format("parameters      {} in {} tensors\n", model.parameter_count(), flat.tensors.size());
  std::cout << fmt::format("nodes           {} in the model, {} with the gradient, {} kernel calls in {} segment\n",
                           model.program("train").nodes().size(), graph.nodes().size(), plan.steps(), plan.segments.size());
  std::cout << fmt::format("flops           {:.4g} a lane's step, {:.4g} a sample\n", cost.flops,
                           cost.flops / static_cast<double>(lane_size));
  std::cout << fmt::format("bytes           {:.1f} MiB read and written by a lane's step\n", cost.bytes / kMiB);
  std::cout << fmt::format("arena           {:.2f} MiB a thread (the sum of all tensors: {:.2f} MiB)\n",
                           static_cast<double>(plan.arena_bytes) / kMiB, static_cast<double>(plan.tensor_bytes) / kMiB);
  std::cout << fmt::format("carried         {} bytes a lane\n", plan.carried_bytes);
  const std::size_t shown = list ? flat.buckets.size() : std::min(flat.buckets.size(), kMostBucketsShown);
  for (std::size_t b = 0; b < shown; ++b) {
    std::string ranges;
    for (const FlatRange& range : flat.buckets[b]) {
      ranges += fmt::format(" {}..{}", range.begin, range.end - 1);
    }
    std::cout << fmt::format("bucket {:8} {}\n", b + 1,
                             flat.buckets[b].size() > 4 ? fmt::format(" {} ranges, {}..{}", flat.buckets[b].size(),
                                                                      flat.buckets[b].front().begin, flat.buckets[b].back().end - 1)
                                                        : ranges);
  }
  if (shown < flat.buckets.size()) {
    std::cout << fmt::format("                … and {} more (--list)\n", flat.buckets.size() - shown);
  }
  std::cout << fmt::format("lanes           {} of {:.4g} samples (default: {})\n", lanes,
                           static_cast<double>(batch) / static_cast<double>(lanes), default_lanes(model, batch));
  std::cout << fmt::format("price of lanes  {:.2f} (estimated; {:.1f} flops a byte of parameters read and gradients written)\n",
                           estimated_price(lane, batch, lanes), lane.flops_per_byte(static_cast<double>(batch) / lanes));
  for (const PlanStep& step : list ? plan.segments[0].steps : std::vector<PlanStep>{}) {
    std::cout << fmt::format("  {:60} {:>12.4g} flops {:>10.4g} bytes{}\n", step.label, step.cost.flops, step.cost.bytes,
                             step.buckets_done > 0 ? fmt::format("  buckets 1..{} done", step.buckets_done) : "");
  }
}

ModelOptions options_of(const po::variables_map& values) {
  constexpr std::array<std::string_view, 3> kLosses{"cross-entropy", "squared-error", "sigmoid-cross-entropy"};
  const std::int64_t classes = values["classes"].as<std::int64_t>();
  ModelOptions options = model_options(values, Shape(parse_list(values["sample"].as<std::string>())), classes);
  options.loss =
      std::array{nn::Loss::cross_entropy, nn::Loss::squared_error, nn::Loss::sigmoid_cross_entropy}.at(choice(values, "loss", kLosses));
  if (options.loss != nn::Loss::squared_error || classes > 1) {  // one number a sample is stored as [n]
    options.labels = {classes};
  }
  return options;
}

}  // namespace

int run_plan(const Arguments& arguments) {
  Options options("plan", "show what a step of a model does and costs",
                  "lockstep plan --model mlp --hidden 1024,1024 --batch 128 --lanes 8");
  add_model_options(options.add());
  options.add().add_options()                                                                                                      //
      ("sample", po::value<std::string>()->default_value("1,28,28"), "shape of one sample")                                        //
      ("classes", po::value<std::int64_t>()->default_value(10), "classes, or numbers or labels a sample")                          //
      ("loss", po::value<std::string>()->default_value("cross-entropy"), "cross-entropy, squared-error or sigmoid-cross-entropy")  //
      ("batch", po::value<std::int64_t>()->default_value(128), "samples of a step, over all workers")                              //
      ("lanes", po::value<std::int64_t>()->default_value(0), "lanes; 0: the default for this batch and model")                     //
      ("list", po::bool_switch(), "every kernel call and bucket")                                                                  //
      ("write-model", po::value<std::string>()->value_name("FILE"), "write the model's graphs as JSON, for --model FILE.json");
  if (!options.parse(arguments)) {
    return 0;
  }
  const po::variables_map& values = options.values();
  std::optional<Model> model = model_from_file(values);
  if (!model) {
    model = build_model(options_of(values));
  }
  const std::int64_t batch = values["batch"].as<std::int64_t>();
  const std::int64_t lanes = values["lanes"].as<std::int64_t>();
  if (batch < 1 || lanes < 0 || lanes > batch) {
    throw UsageError(fmt::format("--batch {} and --lanes {} do not fit: 1 ≤ lanes ≤ batch", batch, lanes));
  }
  print_plan(*model, batch, lanes > 0 ? static_cast<int>(lanes) : default_lanes(*model, batch), values["list"].as<bool>());
  if (values.contains("write-model")) {
    const std::string file = values["write-model"].as<std::string>();
    std::ofstream out(file);
    if (!(out << model->text() << std::flush)) {
      throw UsageError(fmt::format("--write-model {}: {}", file, std::strerror(errno)));
    }
  }
  return 0;
}

}  // namespace lockstep::cli
