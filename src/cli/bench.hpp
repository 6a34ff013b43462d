#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "cli/options.hpp"
#include "cli/workloads.hpp"
#include "train/trainer.hpp"

/// What the benchmarks share. Each takes the options of `lockstep bench` and returns the exit code.
namespace lockstep::cli {

int bench_step(const po::variables_map& values, Communicator& communicator);
int bench_stream(const po::variables_map& values, Communicator& communicator);
int bench_exchange(const po::variables_map& values, Communicator& communicator);
int bench_scaling(const po::variables_map& values, Communicator& communicator);

/// A job to be measured.
struct StepJob {
  Workload workload;
  TrainSettings settings;  ///< batch of all workers, lanes, threads of each worker, sharing, pinning
  int steps = 50;          ///< measured, after a warm-up of a tenth
  std::string data;        ///< a dataset to stream; empty: synthetic samples made once
};

/// Where one worker's step time goes, and what else it took.
struct StepFigures {
  double start_up_seconds = 0;  ///< from the start of the process to the end of its first step
  double compute_ms = 0;        ///< of the first thread: lanes, sums, updates
  double exposed_ms = 0;        ///< for the others, and for what of the exchange is not hidden
  double data_wait_ms = 0;      ///< for the reader
  double bytes_sent = 0;        ///< a step
  double peak_memory_mb = 0;
};

/// Of several workers the figures are the means, but the greatest start-up and memory.
struct StepMeasure : StepFigures {
  int lanes = 0;
  std::string exchange;         ///< how gradients travel
  std::vector<double> ms;       ///< rank 0's, of each step
  double imbalance = 0;         ///< the slowest worker's compute over the mean, less 1
  std::int64_t parameters = 0;  ///< elements of the flat array
  std::string parameter_hash;   ///< after all steps
};

/// What the options ask for, all but the batch.
[[nodiscard]] StepJob chosen_job(const po::variables_map& values);
/// Every worker must call it.
[[nodiscard]] StepMeasure measure_step(Communicator& communicator, const StepJob& job);

/// Sums of equal arrays of floats over all workers, each worker's a lane. The ordered sum copies each array to the buffers that kernels
/// write to, and ends when everyone sees the result where parameters lie; in shared memory all see the same copy.
struct ExchangeMeasure {
  std::string kind;                ///< how the ordered sum travels
  std::vector<double> ordered_ms;  ///< of the slowest worker, a sum each
  std::vector<double> library_ms;  ///< MPI_Allreduce, in turns with the ordered sum
  std::int64_t wrong = 0;          ///< elements of either on all workers
};
/// For about so long; `share`: by shared memory where that is possible; `library`: also MPI_Allreduce. Every worker must call it.
[[nodiscard]] ExchangeMeasure measure_exchange(Communicator& communicator, std::int64_t floats, double seconds, bool share, bool library);
/// nccl-tests' bus bandwidth of a sum over `workers`, in GB/s: bytes / time × 2(n − 1)/n.
[[nodiscard]] double bus_bandwidth(double bytes, double ms, int workers);

/// The workload that the options ask for, with their batch (a worker's) and batch norm.
[[nodiscard]] Workload chosen_workload(const po::variables_map& values);
/// Their threads, lanes, sharing and pinning.
[[nodiscard]] TrainSettings chosen_settings(const po::variables_map& values);
/// Requires at least one value; of an even number the greater of the middle two.
[[nodiscard]] double median(std::vector<double> values);
/// One JSON object in a line, or a line for each value.
void print_result(const nlohmann::ordered_json& result, bool json);

}  // namespace lockstep::cli
