#include "cli/bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iostream>
#include <string_view>
#include <utility>

#include "cli/commands.hpp"

namespace lockstep::cli {

Workload chosen_workload(const po::variables_map& values) {
  Workload chosen = workload(values["workload"].as<std::string>());
  const std::int64_t batch = values["batch"].as<std::int64_t>();
  chosen.batch = batch > 0 ? batch : chosen.batch;
  chosen.model.batch_norm = values["batch-norm"].as<bool>();
  return chosen;
}

TrainSettings chosen_settings(const po::variables_map& values) {
  TrainSettings settings;
  settings.threads = static_cast<int>(std::max<std::int64_t>(1, values["threads"].as<std::int64_t>()));
  settings.lanes = static_cast<int>(values["lanes"].as<std::int64_t>());
  settings.share = shares_memory(values);
  settings.pin = pins_threads(values);
  return settings;
}

StepJob chosen_job(const po::variables_map& values) {
  StepJob job;
  job.workload = chosen_workload(values);
  job.settings = chosen_settings(values);
  job.steps = static_cast<int>(values["steps"].as<std::int64_t>());
  job.data = values["data"].as<std::string>();
  if (job.steps < 1) {
    throw UsageError("--steps must be at least 1");
  }
  if (!job.data.empty()) {
    const Dataset dataset = Dataset::open(training_part(job.data));
    job.workload.model.sample = dataset.field("features").sample;
    job.workload.model.classes = count_classes(dataset);
  }
  return job;
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
                  "measure speed. WHAT:\n"
                  "  step      a training step\n"
                  "  exchange  the ordered sum over all workers, in turns with MPI_Allreduce\n"
                  "  scaling   a training step on different numbers of workers, in turns; CSV\n"
                  "  stream    an epoch that streams a dataset through a small cache, against one with all of it in memory",
                  "lockstep bench step --workload mlp --threads 1 --lanes 1 --json\n"
                  "  mpirun -n 4 lockstep bench scaling --workers 1,2,4 --mode strong --workload cnn");
  options.add().add_options()("what", po::value<std::string>()->required(), "step, exchange, scaling or stream")(
      "workload", po::value<std::string>()->default_value("mlp"), "mlp-tiny, mlp, mlp-wide, cnn, resnet20 or gpt")(
      "threads", po::value<std::int64_t>()->default_value(1), "of each worker")(
      "lanes", po::value<std::int64_t>()->default_value(0),
      "0: one for each thread of all workers (stream: as in training); scaling: for each worker")(
      "default-lanes", po::bool_switch(), "step: as many lanes as training takes, but one for each worker")(
      "batch", po::value<std::int64_t>()->default_value(0), "samples a worker; 0: the workload's own")(
      "batch-norm", po::bool_switch(), "with batch norm")("steps", po::value<std::int64_t>()->default_value(50),
                                                          "step, scaling: steps to take the median of")(
      "exchange", po::value<std::string>()->default_value("auto"),
      "step, exchange, scaling: how gradients travel: auto (shared memory where all workers are on one machine) or messages")(
      "pin", po::value<std::string>()->default_value("auto"),
      "step, scaling: each thread to a core of its own: auto (where a worker has as many as threads, and no other may use them), on or "
      "off")("data", po::value<std::string>()->default_value("")->value_name("DIR"),
             "step, scaling: stream this dataset; else synthetic samples")("sizes", po::value<std::string>()->default_value("64KiB..64MiB"),
                                                                           "exchange: bytes to sum; a list, or a range by factors of four")(
      "seconds", po::value<double>()->default_value(1), "exchange: for about so long each size")(
      "workers", po::value<std::string>()->default_value("1,2,4"), "scaling: numbers of workers, each up to the job's")(
      "mode", po::value<std::string>()->default_value("strong"),
      "scaling: strong (the batch and the lanes of the greatest number of workers on all) or weak (both grow with the workers)")(
      "mib", po::value<std::int64_t>()->default_value(200), "stream: size of the dataset that is made")(
      "cache", po::value<std::string>()->default_value("64MiB"), "stream: memory of each worker for data")(
      "repeats", po::value<std::int64_t>()->default_value(5), "scaling: times; stream: epochs each way, in turns of 128 steps")(
      "dir", po::value<std::string>()->default_value("")->value_name("DIR"), "stream: where the dataset is made and removed again")(
      "json", po::bool_switch(), "one JSON object a line");
  options.positional("what", 1);
  if (!options.parse(arguments)) {
    return 0;
  }
  const po::variables_map& values = options.values();
  const std::string what = values["what"].as<std::string>();
  constexpr std::array kBenches{std::pair{std::string_view("step"), &bench_step}, std::pair{std::string_view("exchange"), &bench_exchange},
                                std::pair{std::string_view("scaling"), &bench_scaling},
                                std::pair{std::string_view("stream"), &bench_stream}};
  const auto* bench = std::ranges::find(kBenches, what, [](const auto& each) { return each.first; });
  if (bench == kBenches.end()) {
    throw UsageError(fmt::format("there is no benchmark '{}'; there are step, exchange, scaling and stream", what));
  }
  constexpr double kDeadline = 60;
  return with_workers(kDeadline, [&](Communicator& communicator) { return bench->second(values, communicator); });
}

}  // namespace lockstep::cli
