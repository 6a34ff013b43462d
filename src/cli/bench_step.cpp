#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "cli/bench.hpp"
#include "plan/compile.hpp"
#include "train/job.hpp"
#include "train/parameters.hpp"
#include "train/safetensors.hpp"

namespace lockstep::cli {
namespace {

using Clock = std::chrono::steady_clock;
double milliseconds_since(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }

struct Kernel {
  std::string label;
  double flops;
  double ms;
};

/// Every kernel call of the whole batch in one lane on one thread.
std::vector<Kernel> time_kernels(const Workload& workload, const Model& model, int repeats) {
  const SyntheticBatch data(workload, workload.batch, 1, 0, 1);
  const Graph graph = train_lane_graph(model.program("train").rebatch(workload.batch));
  const FlatLayout flat = flat_layout(graph);
  const Plan plan = compile(graph, flat);
  AlignedBytes arena;
  CpuExecutor executor(plan, arena);
  AlignedFloats parameters(static_cast<std::size_t>(flat.size));
  const AlignedFloats gradients(static_cast<std::size_t>(flat.size));
  initialise(flat, 1, parameters.span());
  std::vector<const std::byte*> inputs;
  for (const NamedType& input : plan.inputs) {
    inputs.push_back(data.batch().lanes[0].fields[input.name == "features" ? 0 : 1]);
  }
  const std::vector<float> scalars(plan.scalars.size(), 1.0F / static_cast<float>(workload.batch));
  const std::vector<double> seconds = executor.time_steps({inputs, scalars, parameters.data(), gradients.data()}, {}, repeats);
  std::vector<Kernel> kernels;
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    const PlanStep& step = plan.segments[0].steps[i];
    kernels.push_back({step.label, step.cost.flops, 1000 * seconds[i]});
  }
  return kernels;
}

bool is_product(const Kernel& kernel) { return kernel.label.starts_with("matmul") || kernel.label.starts_with("conv2d"); }

}  // namespace

int bench_step(const po::variables_map& values, Communicator& communicator) {
  const Workload chosen = chosen_workload(values);
  const auto steps = static_cast<int>(values["steps"].as<std::int64_t>());
  if (steps < 1) {
    throw UsageError("--steps must be at least 1");
  }
  const Model model = build_model(chosen.model);

  TrainSettings settings;
  settings.batch = chosen.batch * communicator.size();
  settings.threads = static_cast<int>(std::max<std::int64_t>(1, values["threads"].as<std::int64_t>()));
  settings.lanes = static_cast<int>(values["lanes"].as<std::int64_t>());
  settings.lanes = settings.lanes > 0 ? settings.lanes : communicator.size() * settings.threads;
  const JobShape job = agree_on_job(communicator, model, settings);
  StepEngine engine(communicator, model, job, (settings.batch + job.lanes - 1) / job.lanes, {0.9, 1e-4});
  initialise(engine.layout(), 1, engine.parameters());
  const SyntheticBatch data(chosen, settings.batch, job.lanes, engine.lanes().begin, engine.lanes().end);

  std::vector<double> times;
  const int warm_up = std::max(2, steps / 10);
  for (int s = 0; s < warm_up + steps; ++s) {
    const auto start = Clock::now();
    engine.train(data.batch(), data.fields(), data.lane_samples(), {1, 0, static_cast<std::uint64_t>(s), 0}, 0.01, false);
    if (s >= warm_up) {
      times.push_back(milliseconds_since(start));
    }
  }
  communicator.barrier({"the end of the benchmark"});
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  if (communicator.rank() != 0) {
    return 0;
  }
  const std::vector<Kernel> kernels = time_kernels(chosen, model, std::clamp(steps, 3, 20));
  double products = 0;
  double all = 0;
  for (const Kernel& kernel : kernels) {
    products += is_product(kernel) ? kernel.ms : 0;
    all += kernel.ms;
  }
  const double ms = median(times);
  const double bare = products / settings.threads;
  const nlohmann::ordered_json result{{"workload", chosen.name},
                                      {"workers", communicator.size()},
                                      {"threads", settings.threads},
                                      {"lanes", job.lanes},
                                      {"batch", settings.batch},
                                      {"ms_median", ms},
                                      {"ms_min", *std::ranges::min_element(times)},
                                      {"samples_per_second", 1000 * static_cast<double>(settings.batch) / ms},
                                      {"kernel_ms", bare},
                                      {"step_over_kernels", ms / bare},
                                      {"peak_memory_mb", static_cast<double>(usage.ru_maxrss) / 1024},
                                      {"parameter_hash", parameter_hash(to_tensors(engine.layout(), engine.parameters()))}};
  const bool json = values["json"].as<bool>();
  print_result(result, json);
  if (json) {
    return 0;
  }
  std::cout << fmt::format("\nkernel calls of one worker's batch in one lane on one thread: {:.3f} ms\n", all);
  for (const Kernel& kernel : kernels) {
    std::cout << fmt::format("  {:60.60} {:9.4f} ms {:8.2f} GF/s\n", kernel.label, kernel.ms, kernel.flops / kernel.ms / 1e6);
  }
  return 0;
}

}  // namespace lockstep::cli
