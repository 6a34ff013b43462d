#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <ctime>
#include <fstream>
#include <functional>
#include <iterator>
#include <random>

#include "cli/bench.hpp"
#include "formats/dataset_writer.hpp"
#include "train/job.hpp"
#include "train/parameters.hpp"

namespace lockstep::cli {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::int64_t kMiB = 1 << 20;
constexpr double kMiBs = 1 << 20;
const Shape kSample{1, 28, 28};

/// A folder with a dataset of noise, made by rank 0, which removes it in the end.
class SyntheticDataset {
 public:
  /// Every worker must call it; `folder` is on a file system that all of them see.
  SyntheticDataset(Communicator& communicator, const std::filesystem::path& folder, std::int64_t rows) : rank_(communicator.rank()) {
    std::int64_t process = getpid();
    communicator.broadcast(std::as_writable_bytes(std::span(&process, 1)), 0, {"the name of the dataset"});
    path_ = folder / fmt::format("lockstep-bench-stream-{}", process);
    if (rank_ == 0) {
      write(rows);
    }
    communicator.barrier({"the dataset"});
  }
  SyntheticDataset(const SyntheticDataset&) = delete;
  SyntheticDataset& operator=(const SyntheticDataset&) = delete;
  ~SyntheticDataset() {
    std::error_code ignored;
    if (rank_ == 0) {
      std::filesystem::remove_all(path_, ignored);
    }
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  void write(std::int64_t rows) const {
    const std::int64_t row_bytes = kSample.elements();
    const DatasetOptions options{.mean = {127.5}, .std = {73.9}, .rows_per_shard = 64 * kMiB / row_bytes};  // of uniform bytes
    DatasetWriter writer(path_, {{"features", kSample, DType::u8}, {"labels", {}, DType::i32}}, rows, options);
    constexpr std::int64_t kRows = 1024;
    std::vector<std::uint64_t> noise(static_cast<std::size_t>(kRows * row_bytes) / sizeof(std::uint64_t));
    std::vector<std::int32_t> labels(kRows);
    std::mt19937_64 random(1);
    for (std::int64_t row = 0; row < rows; row += kRows) {
      std::ranges::generate(noise, random);
      std::ranges::generate(labels, [&] { return static_cast<std::int32_t>(random() % 10); });
      const auto now = static_cast<std::size_t>(std::min(kRows, rows - row));
      const std::array values{std::as_bytes(std::span(noise)).first(now * static_cast<std::size_t>(row_bytes)),
                              std::as_bytes(std::span(labels).first(now))};
      writer.append(values);
    }
    writer.close();
  }

  int rank_;
  std::filesystem::path path_;
};

/// Memory of this process that is in RAM, without the system's cache of files.
double resident_mib() {
  std::int64_t all = 0;
  std::int64_t resident = 0;
  std::ifstream("/proc/self/statm") >> all >> resident;
  return static_cast<double>(resident * sysconf(_SC_PAGESIZE)) / kMiBs;
}

/// Bytes that this process has had from the disk itself; 0 where the system does not tell.
std::uint64_t bytes_from_disk() {
  std::ifstream file("/proc/self/io");
  std::string key;
  std::uint64_t bytes = 0;
  while (file >> key >> bytes) {
    if (key == "read_bytes:") {
      return bytes;
    }
  }
  return 0;
}

/// Asks the system to forget what it keeps of the files, so that streaming meets the disk.
void drop_file_cache(const std::filesystem::path& folder) {
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const int file = open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file >= 0) {
      fsync(file);
      posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
      close(file);
    }
  }
}

/// Steps of one arm at a stretch, short enough that whatever else the machine does meets both arms alike. The reader of the arm that rests
/// is no more than ReaderOptions::depth steps ahead.
constexpr std::int64_t kTurn = 128;

/// One way to hold the data, and how training went with it on this worker.
struct Arm {
  std::shared_ptr<ChunkCache> cache;
  std::vector<double> rates;  ///< samples a second of all workers, a turn each
  double seconds = 0;
  double cpu_seconds = 0;  ///< of all threads
  double waited = 0;       ///< seconds, for data
};

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

/// Trains one engine on the same samples in the same order from both arms, in turns.
class StreamBench {
 public:
  StreamBench(Communicator& communicator, const Workload& workload, const Model& model, const JobShape& job, const Dataset& data,
              std::int64_t batch)
      : table_(data.rows(), batch, job.lanes, static_cast<int>(model.least_lane())),
        engine_(communicator, model, job, table_.max_lane_samples(), Recipe::sgd(0.9, 1e-4)) {
    initialise(engine_.layout(), 1, engine_.set_parameters());
    const SyntheticBatch synthetic(workload, batch, job.lanes, engine_.lanes().begin, engine_.lanes().end);
    constexpr int kWarmUp = 20;
    for (int s = 0; s < kWarmUp; ++s) {
      step(synthetic.batch(), synthetic.fields(), synthetic.lane_samples());
    }
    static_cast<void>(engine_.parameters());
  }

  void epoch(std::uint64_t number, std::span<Arm* const> arms) {
    const LaneRange mine = engine_.lanes();
    const ReaderOptions options{.rows = {0, table_.samples()},
                                .order = OrderKind::chunk,
                                .lane_begin = mine.begin,
                                .lane_end = mine.end,
                                .epoch = number,
                                .end_epoch = number + 1};
    std::vector<std::unique_ptr<BatchReader>> readers;
    for (const Arm* arm : arms) {
      readers.push_back(std::make_unique<BatchReader>(arm->cache, table_, options));
    }
    for (std::int64_t begin = 0; begin < table_.steps(); begin += kTurn) {
      for (std::size_t a = 0; a < arms.size(); ++a) {
        turn(*arms[a], *readers[a], begin, std::min(begin + kTurn, table_.steps()));
      }
      peak_resident_mib_ = std::max(peak_resident_mib_, resident_mib());
    }
    static_cast<void>(engine_.parameters());  // ends the last step, so that the workers can talk of other things
  }
  [[nodiscard]] double peak_resident_mib() const { return peak_resident_mib_; }

 private:
  void turn(Arm& arm, BatchReader& reader, std::int64_t begin, std::int64_t end) {
    const double waited = reader.wait_seconds();
    const double cpu = cpu_seconds();
    const auto start = Clock::now();
    std::int64_t samples = 0;
    for (std::int64_t s = begin; s < end; ++s) {
      const StepBatch& batch = reader.next();
      samples += step(batch, reader.fields(), table_.lane_samples(s));
      reader.release();
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    arm.rates.push_back(static_cast<double>(samples) / seconds);
    arm.seconds += seconds;
    arm.cpu_seconds += cpu_seconds() - cpu;
    arm.waited += reader.wait_seconds() - waited;
  }

  std::int64_t step(const StepBatch& batch, std::span<const Field> fields, std::span<const int> lane_samples) {
    return engine_.train(batch, fields, lane_samples, {1, 0, steps_++, 0}, 0.001).samples;
  }

  StepTable table_;
  StepEngine engine_;
  std::uint64_t steps_ = 0;
  double peak_resident_mib_ = 0;
};

/// What workers tell each other in the end: bytes are added, of the rest the greatest counts.
struct Tally {
  double bytes_read = 0;
  double bytes_disk = 0;
  double stream_wait_share = 0;
  double memory_wait_share = 0;
  double without_data_mib = 0;
  double growth_mib = 0;
};

Tally over_workers(Communicator& communicator, const Tally& mine) {
  Tally sum;
  for (const Tally& each : gather(communicator, mine, "the end of the benchmark")) {
    for (const auto added : {&Tally::bytes_read, &Tally::bytes_disk}) {
      sum.*added += each.*added;
    }
    for (const auto greatest : {&Tally::stream_wait_share, &Tally::memory_wait_share, &Tally::without_data_mib, &Tally::growth_mib}) {
      sum.*greatest = std::max(sum.*greatest, each.*greatest);
    }
  }
  return sum;
}

void load(ChunkCache& cache) {
  for (std::size_t chunk = 0; chunk < cache.dataset().chunks().size(); ++chunk) {
    static_cast<void>(cache.get(chunk));
  }
}

}  // namespace

int bench_stream(const po::variables_map& values, Communicator& communicator) {
  Workload chosen = chosen_workload(values);
  chosen.model.sample = kSample;
  const Model model = build_model(chosen.model);
  const std::size_t budget = parse_bytes(values["cache"].as<std::string>());
  const auto repeats = static_cast<int>(values["repeats"].as<std::int64_t>());
  TrainSettings settings = chosen_settings(values);
  settings.batch = chosen.batch * communicator.size();
  const JobShape job = agree_on_job(communicator, model, settings);
  // Whole batches, so that the memory of plans for a short last step is not taken for the data's.
  const std::int64_t row_bytes = kSample.elements() + static_cast<std::int64_t>(sizeof(std::int32_t));
  const std::int64_t rows = values["mib"].as<std::int64_t>() * kMiB / row_bytes / settings.batch * settings.batch;
  if (repeats < 1 || rows < 1) {
    throw UsageError("--repeats must be at least 1, and --mib must hold a batch");
  }
  const std::string folder = values["dir"].as<std::string>();
  if (!folder.empty() && !std::filesystem::is_directory(folder)) {
    throw UsageError(fmt::format("--dir {}: there is no such folder", folder));
  }
  const SyntheticDataset files(communicator, folder.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(folder), rows);
  const Dataset data = Dataset::open(files.path());

  Tally tally;
  StreamBench bench(communicator, chosen, model, job, data, settings.batch);
  malloc_trim(0);
  tally.without_data_mib = resident_mib();
  Arm stream;
  Arm memory{std::make_shared<ChunkCache>(data, 2 * data.bytes()), {}};
  load(*memory.cache);
  const double before = resident_mib();
  const std::array arms{&stream, &memory};
  for (int repeat = 0; repeat < repeats; ++repeat) {
    drop_file_cache(files.path());
    communicator.barrier({"the next epoch"});
    const std::uint64_t disk = bytes_from_disk();
    stream.cache = std::make_shared<ChunkCache>(data, budget);
    malloc_trim(0);  // the last epoch's cache lay in its reader thread's arena, which this one's need not get
    bench.epoch(static_cast<std::uint64_t>(repeat), arms);
    tally.bytes_read += static_cast<double>(stream.cache->bytes_read()) / repeats;
    tally.bytes_disk += static_cast<double>(bytes_from_disk() - disk) / repeats;
  }
  tally.growth_mib = bench.peak_resident_mib() - before;
  tally.stream_wait_share = stream.waited / stream.seconds;
  tally.memory_wait_share = memory.waited / memory.seconds;
  tally = over_workers(communicator, tally);
  if (communicator.rank() != 0) {
    return 0;
  }
  std::vector<double> ratios;
  std::ranges::transform(stream.rates, memory.rates, std::back_inserter(ratios), std::divides());
  std::ranges::sort(ratios);
  const auto size = static_cast<double>(data.bytes());
  print_result({{"workload", chosen.name},
                {"workers", communicator.size()},
                {"threads", settings.threads},
                {"lanes", job.lanes},
                {"batch", settings.batch},
                {"dataset_mib", size / kMiBs},
                {"chunks", data.chunks().size()},
                {"cache_mib", static_cast<double>(budget) / kMiBs},
                {"turns", ratios.size()},
                {"stream_samples_per_second", median(stream.rates)},
                {"memory_samples_per_second", median(memory.rates)},
                {"stream_over_memory", median(ratios)},
                {"ratio_lower_quartile", ratios[ratios.size() / 4]},
                {"ratio_upper_quartile", ratios[ratios.size() * 3 / 4]},
                {"cpu_time_over_memory", stream.cpu_seconds / memory.cpu_seconds},
                {"stream_wait_share", tally.stream_wait_share},
                {"memory_wait_share", tally.memory_wait_share},
                {"read_over_dataset", tally.bytes_read / size},
                {"read_from_disk_over_dataset", tally.bytes_disk / size},
                {"memory_without_data_mib", tally.without_data_mib},
                {"stream_memory_growth_mib", tally.growth_mib}},
               values["json"].as<bool>());
  return 0;
}

}  // namespace lockstep::cli
