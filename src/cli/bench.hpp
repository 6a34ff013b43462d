#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "cli/options.hpp"
#include "train/step_engine.hpp"
#include "train/workloads.hpp"

/// What the benchmarks share. Each takes the options of `lockstep bench` and returns the exit code.
namespace lockstep::cli {

int bench_step(const po::variables_map& values, Communicator& communicator);
int bench_stream(const po::variables_map& values, Communicator& communicator);

/// The workload that the options ask for, with their batch (a worker's) and batch norm.
[[nodiscard]] Workload chosen_workload(const po::variables_map& values);
/// Requires at least one value; of an even number the greater of the middle two.
[[nodiscard]] double median(std::vector<double> values);
/// One JSON object in a line, or a line for each value.
void print_result(const nlohmann::ordered_json& result, bool json);

}  // namespace lockstep::cli
