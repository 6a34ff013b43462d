#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <fstream>
#include <limits>
#include <string>

#include "cli/bench.hpp"
#include "train/job.hpp"
#include "train/parameters.hpp"

namespace lockstep::cli {
namespace {

using Clock = std::chrono::steady_clock;
double milliseconds_since(Clock::time_point start) { return std::chrono::duration<double, std::milli>(Clock::now() - start).count(); }

/// Since this process began; the kernel counts it in ticks of 10 ms.
double seconds_since_start() {
  std::ifstream file("/proc/self/stat");
  file.ignore(std::numeric_limits<std::streamsize>::max(), ')');  // the name in parentheses may hold anything
  std::string word;
  constexpr int kStart = 20;  // field 22 of proc(5), and two are behind us
  for (int i = 0; i < kStart; ++i) {
    file >> word;
  }
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec) -
         std::stod(word) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// Where a worker's samples come from, step after step: made once, or streamed from epoch to epoch.
class Source {
 public:
  Source(const StepJob& job, const Model& model, int lanes, LaneRange mine) {
    if (job.data.empty()) {
      synthetic_ = std::make_unique<SyntheticBatch>(job.workload, job.settings.batch, lanes, mine.begin, mine.end);
      return;
    }
    const Dataset dataset = Dataset::open(training_part(job.data));
    check_dataset(model, dataset);
    table_ = std::make_unique<StepTable>(dataset.rows(), job.settings.batch, lanes, static_cast<int>(model.least_lane()));
    const ReaderOptions options{.rows = {0, dataset.rows()}, .order = OrderKind::chunk, .lane_begin = mine.begin, .lane_end = mine.end};
    constexpr std::size_t kCache = 64 << 20;
    reader_ = std::make_unique<BatchReader>(std::make_shared<ChunkCache>(dataset, kCache), *table_, options);
  }

  template <class Step>
  void next(const Step& step) {
    if (synthetic_) {
      step(synthetic_->batch(), synthetic_->fields(), synthetic_->lane_samples());
      return;
    }
    const StepBatch& batch = reader_->next();
    step(batch, reader_->fields(), table_->lane_samples(batch.step));
    reader_->release();
  }
  [[nodiscard]] double wait_seconds() const { return reader_ ? reader_->wait_seconds() : 0; }

 private:
  std::unique_ptr<SyntheticBatch> synthetic_;
  std::unique_ptr<StepTable> table_;
  std::unique_ptr<BatchReader> reader_;
};

}  // namespace

StepMeasure measure_step(Communicator& communicator, const StepJob& job) {
  const Model model = build_model(job.workload.model);
  const JobShape shape = agree_on_job(communicator, model, job.settings);
  StepEngine engine(communicator, model, shape, (job.settings.batch + shape.lanes - 1) / shape.lanes, Recipe::sgd(0.9, 1e-4));
  initialise(engine.layout(), 1, engine.set_parameters());
  Source source(job, model, shape.lanes, engine.lanes());

  StepMeasure measured;
  measured.lanes = shape.lanes;
  measured.parameters = engine.layout().size;
  measured.exchange = engine.exchange();
  StepFigures mine;
  StepTimes before{};
  double sent = 0;
  double waited = 0;
  const int warm_up = std::max(2, job.steps / 10);
  for (int s = 0; s < warm_up + job.steps; ++s) {
    if (s == warm_up) {
      before = engine.times();
      sent = static_cast<double>(engine.bytes_sent());
      waited = source.wait_seconds();
    }
    const auto start = Clock::now();
    source.next([&](const StepBatch& batch, const std::vector<Field>& fields, const std::vector<int>& lane_samples) {
      engine.train(batch, fields, lane_samples, {1, 0, static_cast<std::uint64_t>(s), 0}, 0.01);
    });
    if (s >= warm_up) {
      measured.ms.push_back(milliseconds_since(start));
    }
    mine.start_up_seconds = s == 0 ? seconds_since_start() : mine.start_up_seconds;
  }
  mine.compute_ms = 1000 * (engine.times().compute - before.compute) / job.steps;
  mine.exposed_ms = 1000 * (engine.times().waiting - before.waiting) / job.steps;
  mine.data_wait_ms = 1000 * (source.wait_seconds() - waited) / job.steps;
  mine.bytes_sent = (static_cast<double>(engine.bytes_sent()) - sent) / job.steps;
  const std::span<const float> parameters = engine.parameters();  // ends the last step
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  mine.peak_memory_mb = static_cast<double>(usage.ru_maxrss) / 1024;

  double slowest = 0;
  for (const StepFigures& each : gather(communicator, mine, "the end of the benchmark")) {
    for (const auto mean : {&StepFigures::compute_ms, &StepFigures::exposed_ms, &StepFigures::data_wait_ms, &StepFigures::bytes_sent}) {
      measured.*mean += each.*mean / communicator.size();
    }
    measured.start_up_seconds = std::max(measured.start_up_seconds, each.start_up_seconds);
    measured.peak_memory_mb = std::max(measured.peak_memory_mb, each.peak_memory_mb);
    slowest = std::max(slowest, each.compute_ms);
  }
  measured.imbalance = slowest / measured.compute_ms - 1;
  measured.parameter_hash = agree_on_parameters(communicator, engine.layout(), parameters);
  return measured;
}

}  // namespace lockstep::cli
