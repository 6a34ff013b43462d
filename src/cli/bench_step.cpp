#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "cli/bare_products.hpp"
#include "cli/bench.hpp"
#include "plan/compile.hpp"
#include "plan/lane_price.hpp"
#include "train/parameters.hpp"

namespace lockstep::cli {
namespace {

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
  const AlignedBytes lane_arena(plan.arena_bytes);
  const LaneBinding binding{inputs, scalars, parameters.data(), gradients.data(), {}, lane_arena.data()};
  std::vector<std::vector<double>> times(executor.steps());
  for (int r = 0; r < repeats; ++r) {
    for (std::size_t i = 0; i < times.size(); ++i) {
      const auto start = std::chrono::steady_clock::now();
      executor.run_step(i, binding, {});
      times[i].push_back(std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    }
  }
  std::vector<Kernel> kernels;
  for (std::size_t i = 0; i < times.size(); ++i) {
    kernels.push_back({executor.step(i).label, executor.step(i).cost.flops, median(times[i])});
  }
  return kernels;
}

/// Whether bare_products_ms counts its products.
bool is_product(const Kernel& kernel) { return has_bare_products(std::string_view(kernel.label).substr(0, kernel.label.find(' '))); }

}  // namespace

int bench_step(const po::variables_map& values, Communicator& communicator) {
  StepJob job = chosen_job(values);
  job.settings.batch = job.workload.batch * communicator.size();
  if (job.settings.lanes == 0) {
    job.settings.lanes = values["default-lanes"].as<bool>()
                             ? std::max(default_lanes(build_model(job.workload.model), job.settings.batch), communicator.size())
                             : communicator.size() * job.settings.threads;
  }
  const StepMeasure measured = measure_step(communicator, job);
  if (communicator.rank() != 0) {
    return 0;
  }
  const std::vector<Kernel> kernels = time_kernels(job.workload, build_model(job.workload.model), std::clamp(job.steps, 3, 20));
  double products = 0;
  double all = 0;
  for (const Kernel& kernel : kernels) {
    products += is_product(kernel) ? kernel.ms : 0;
    all += kernel.ms;
  }
  const double ms = median(measured.ms);
  const Graph lane = train_lane_graph(build_model(job.workload.model).program("train").rebatch(job.workload.batch));
  const double bare = bare_products_ms(lane) / job.settings.threads;
  const nlohmann::ordered_json result{{"workload", job.workload.name},
                                      {"workers", communicator.size()},
                                      {"threads", job.settings.threads},
                                      {"lanes", measured.lanes},
                                      {"batch", job.settings.batch},
                                      {"exchange", measured.exchange},
                                      {"ms_median", ms},
                                      {"ms_min", *std::ranges::min_element(measured.ms)},
                                      {"samples_per_second", 1000 * static_cast<double>(job.settings.batch) / ms},
                                      {"kernel_ms", bare},
                                      {"step_over_kernels", ms / bare},
                                      {"plan_kernel_ms", products / job.settings.threads},
                                      {"all_kernel_ms", all / job.settings.threads},
                                      {"compute_ms", measured.compute_ms},
                                      {"exposed_ms", measured.exposed_ms},
                                      {"data_wait_ms", measured.data_wait_ms},
                                      {"imbalance", measured.imbalance},
                                      {"bytes_sent", measured.bytes_sent},
                                      {"parameter_bytes", measured.parameters * static_cast<std::int64_t>(sizeof(float))},
                                      {"start_up_seconds", measured.start_up_seconds},
                                      {"peak_memory_mb", measured.peak_memory_mb},
                                      {"parameter_hash", measured.parameter_hash}};
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
