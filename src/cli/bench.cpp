#include "cli/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "cli/commands.hpp"

namespace lockstep::cli {

Workload chosen_workload(const po::variables_map& values) {
  Workload chosen = workload(values["workload"].as<std::string>());
  const std::int64_t batch = values["batch"].as<std::int64_t>();
  chosen.batch = batch > 0 ? batch : chosen.batch;
  chosen.model.batch_norm = values["batch-norm"].as<bool>();
  return chosen;
}

double median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

void print_result(const nlohmann::ordered_json& result, bool json) {
  if (json) {
    std::cout << result.dump() << "\n";
    return;
  }
  for (const auto& [key, value] : result.items()) {
    std::cout << fmt::format("{:28} {}\n", key, value.is_number_float() ? fmt::format("{:.4g}", value.get<double>()) : value.dump());
  }
}

int run_bench(const Arguments& arguments) {
  Options options("bench",
                  "measure speed on synthetic samples. WHAT:\n"
                  "  step    a training step, without reading data\n"
                  "  stream  an epoch that streams a dataset through a small cache, against one with all of it in memory",
                  "lockstep bench step --workload mlp --threads 1 --lanes 1 --json");
  options.add().add_options()("what", po::value<std::string>()->required(), "step or stream")(
      "workload", po::value<std::string>()->default_value("mlp"), "mlp-tiny, mlp, mlp-wide, cnn, resnet20 or gpt")(
      "threads", po::value<std::int64_t>()->default_value(1), "of each worker")("lanes", po::value<std::int64_t>()->default_value(0),
                                                                                "0: workers × threads for step, as in training for stream")(
      "batch", po::value<std::int64_t>()->default_value(0), "samples a worker; 0: the workload's own")(
      "batch-norm", po::bool_switch(), "with batch norm")("steps", po::value<std::int64_t>()->default_value(50),
                                                          "step: steps to take the median of")(
      "mib", po::value<std::int64_t>()->default_value(200), "stream: size of the dataset that is made")(
      "cache", po::value<std::string>()->default_value("64MiB"), "stream: memory of each worker for data")(
      "repeats", po::value<std::int64_t>()->default_value(3), "stream: epochs each way, in turns of 128 steps")(
      "dir", po::value<std::string>()->default_value("")->value_name("DIR"), "stream: where the dataset is made and removed again")(
      "json", po::bool_switch(), "one JSON object");
  options.positional("what", 1);
  if (!options.parse(arguments)) {
    return 0;
  }
  const po::variables_map& values = options.values();
  const std::string what = values["what"].as<std::string>();
  if (what != "step" && what != "stream") {
    throw UsageError(fmt::format("there is no benchmark '{}'; there are step and stream", what));
  }
  constexpr double kDeadline = 60;
  return with_workers(kDeadline, [&](Communicator& communicator) {
    return what == "step" ? bench_step(values, communicator) : bench_stream(values, communicator);
  });
}

}  // namespace lockstep::cli
