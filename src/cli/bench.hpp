#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "cli/options.hpp"
#include "train/trainer.hpp"
#include "train/step_engine.hpp"
#include "train/workloads.hpp"

/// What the benchmarks share. Each takes the options of `lockstep bench` and returns the exit code.
namespace lockstep::cli {

int bench_step(const po::variables_map& values, Communicator& communicator);
int bench_stream(const po::variables_map& values, Communicator& communicator);
int bench_exchange(const po::variables_map& values, Communicator& communicator);
int bench_scaling(const po::variables_map& values, Communicator& communicator);

/// A job to be measured.
struct StepJob {
  Workload workload;
  std::int64_t batch = 0;  ///< of all workers
  int lanes = 0;           ///< 0: as in training
  int threads = 1;         ///< of each worker
  int steps = 50;          ///< measured, after a warm-up of a tenth
  bool share = true;       ///< memory with the other workers, where all are on one machine
  Pin pin = Pin::alone;
  std::string data;  ///< a dataset to stream; empty: synthetic samples made once
};

/// Where a step's time goes. Of several workers the means, if nothing else is said.
struct StepMeasure {
  int lanes = 0;
  std::string exchange;         ///< how gradients travel
  std::vector<double> ms;       ///< rank 0's, of each step
  double start_up_seconds = 0;  ///< from the start of the slowest process to the end of its first step
  double compute_ms = 0;        ///< of the first thread: lanes, sums, updates
  double exposed_ms = 0;        ///< for the others, and for what of the exchange is not hidden
  double data_wait_ms = 0;      ///< for the reader
  double imbalance = 0;         ///< the slowest worker's compute over the mean, less 1
  double bytes_sent = 0;        ///< a step
  std::int64_t parameters = 0;  ///< elements of the flat array
  std::string parameter_hash;   ///< after all steps
  double peak_memory_mb = 0;    ///< the greatest
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
/// Requires at least one value; of an even number the greater of the middle two.
[[nodiscard]] double median(std::vector<double> values);
/// One JSON object in a line, or a line for each value.
void print_result(const nlohmann::ordered_json& result, bool json);

}  // namespace lockstep::cli
