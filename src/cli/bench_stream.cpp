#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <random>

#include "cli/bench.hpp"
#include "data/dataset_writer.hpp"
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
    DatasetOptions options;
    options.mean = {127.5};
    options.std = {73.9};  // of uniform bytes
    options.rows_per_shard = 64 * kMiB / row_bytes;
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

/// One epoch as this worker saw it.
struct Pass {
  double seconds = 0;
  double waited = 0;  ///< for data
  double bytes_read = 0;
  double bytes_disk = 0;
  double peak_resident_mib = 0;
};

/// The same engine and the same samples, whatever the cache holds.
class StreamBench {
 public:
  StreamBench(Communicator& communicator, const Workload& workload, const Model& model, const JobShape& job, const Dataset& data,
              std::int64_t batch)
      : communicator_(communicator),
        data_(data),
        table_(data.rows(), batch, job.lanes, static_cast<int>(model.least_lane())),
        engine_(communicator, model, job, table_.max_lane_samples(), {0.9, 1e-4}) {
    initialise(engine_.layout(), 1, engine_.parameters());
    const SyntheticBatch synthetic(workload, batch, job.lanes, engine_.lanes().begin, engine_.lanes().end);
    constexpr int kWarmUp = 20;
    for (int s = 0; s < kWarmUp; ++s) {
      step(synthetic.batch(), synthetic.fields(), synthetic.lane_samples());
    }
  }

  Pass epoch(const std::shared_ptr<ChunkCache>& cache, std::uint64_t number) {
    ReaderOptions options;
    options.rows = {0, data_.rows()};
    options.order = OrderKind::chunk;
    options.lane_begin = engine_.lanes().begin;
    options.lane_end = engine_.lanes().end;
    options.epoch = number;
    options.end_epoch = number + 1;
    std::vector<int> lane_samples(static_cast<std::size_t>(table_.lanes()));
    communicator_.barrier({"the next epoch"});
    Pass pass;
    const std::uint64_t read = cache->bytes_read();
    const std::uint64_t disk = bytes_from_disk();
    const auto start = Clock::now();
    BatchReader reader(cache, table_, options);
    for (std::int64_t s = 0; s < table_.steps(); ++s) {
      const StepBatch& batch = reader.next();
      for (int v = 0; v < table_.lanes(); ++v) {
        lane_samples[static_cast<std::size_t>(v)] = static_cast<int>(table_.lane_samples(s, v));
      }
      step(batch, reader.fields(), lane_samples);
      reader.release();
      if (s % 16 == 0 || s + 1 == table_.steps()) {
        pass.peak_resident_mib = std::max(pass.peak_resident_mib, resident_mib());
      }
    }
    pass.seconds = std::chrono::duration<double>(Clock::now() - start).count();
    pass.waited = reader.wait_seconds();
    pass.bytes_read = static_cast<double>(cache->bytes_read() - read);
    pass.bytes_disk = static_cast<double>(bytes_from_disk() - disk);
    return pass;
  }

 private:
  void step(const StepBatch& batch, std::span<const Field> fields, std::span<const int> lane_samples) {
    engine_.train(batch, fields, lane_samples, {1, 0, steps_++, 0}, 0.001, false);
  }

  Communicator& communicator_;
  const Dataset& data_;
  StepTable table_;
  StepEngine engine_;
  std::uint64_t steps_ = 0;
};

/// The same pass on all workers: the longest time, the longest wait, all bytes, the most memory.
Pass over_workers(Communicator& communicator, const Pass& mine) {
  std::vector<Pass> all(static_cast<std::size_t>(communicator.size()));
  communicator.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)), {"the workers' times"});
  Pass sum;
  for (const Pass& pass : all) {
    sum.seconds = std::max(sum.seconds, pass.seconds);
    sum.waited = std::max(sum.waited, pass.waited);
    sum.bytes_read += pass.bytes_read;
    sum.bytes_disk += pass.bytes_disk;
    sum.peak_resident_mib = std::max(sum.peak_resident_mib, pass.peak_resident_mib);
  }
  return sum;
}

std::vector<double> of_each(const std::vector<Pass>& passes, const std::function<double(const Pass&)>& what) {
  std::vector<double> values;
  std::ranges::transform(passes, std::back_inserter(values), what);
  return values;
}

}  // namespace

int bench_stream(const po::variables_map& values, Communicator& communicator) {
  Workload chosen = chosen_workload(values);
  chosen.model.sample = kSample;
  const Model model = build_model(chosen.model);
  const std::size_t cache = parse_bytes(values["cache"].as<std::string>());
  const std::int64_t repeats = values["repeats"].as<std::int64_t>();
  TrainSettings settings;
  settings.batch = chosen.batch * communicator.size();
  settings.threads = static_cast<int>(std::max<std::int64_t>(1, values["threads"].as<std::int64_t>()));
  settings.lanes = static_cast<int>(values["lanes"].as<std::int64_t>());
  const JobShape job = agree_on_job(communicator, model, settings);
  // Whole batches, so that the memory of plans for a short last step is not taken for the data's.
  const std::int64_t row_bytes = kSample.elements() + static_cast<std::int64_t>(sizeof(std::int32_t));
  const std::int64_t rows = values["mib"].as<std::int64_t>() * kMiB / row_bytes / settings.batch * settings.batch;
  if (repeats < 1 || rows < 1) {
    throw UsageError("--repeats must be at least 1, and --mib hold a batch");
  }
  const std::string folder = values["dir"].as<std::string>();
  const SyntheticDataset files(communicator, folder.empty() ? std::filesystem::temp_directory_path() : std::filesystem::path(folder), rows);
  const Dataset data = Dataset::open(files.path());
  StreamBench bench(communicator, chosen, model, job, data, settings.batch);
  malloc_trim(0);
  const double without_data = resident_mib();

  std::vector<Pass> streamed;
  std::vector<Pass> in_memory;
  const auto whole = std::make_shared<ChunkCache>(data, 2 * data.bytes());
  for (std::int64_t repeat = 0; repeat < repeats; ++repeat) {
    const auto number = static_cast<std::uint64_t>(repeat);
    drop_file_cache(files.path());
    streamed.push_back(bench.epoch(std::make_shared<ChunkCache>(data, cache), number));
    streamed.back().peak_resident_mib -= without_data;
    for (std::size_t chunk = 0; chunk < data.chunks().size() && repeat == 0; ++chunk) {
      static_cast<void>(whole->get(chunk));  // after the first pass, whose memory is the streaming's alone
    }
    in_memory.push_back(bench.epoch(whole, number));
  }
  for (std::vector<Pass>* passes : {&streamed, &in_memory}) {
    std::ranges::transform(*passes, passes->begin(), [&](const Pass& pass) { return over_workers(communicator, pass); });
  }
  communicator.barrier({"the end of the benchmark"});
  if (communicator.rank() != 0) {
    return 0;
  }
  const auto rate = [&](const Pass& pass) { return std::round(static_cast<double>(rows) / pass.seconds); };
  const auto wait_share = [](const Pass& pass) { return pass.waited / pass.seconds; };
  const auto size = static_cast<double>(data.bytes());
  const double stream = median(of_each(streamed, rate));
  const double memory = median(of_each(in_memory, rate));
  print_result({{"workload", chosen.name},
                {"workers", communicator.size()},
                {"threads", settings.threads},
                {"lanes", job.lanes},
                {"batch", settings.batch},
                {"dataset_mib", size / kMiBs},
                {"chunks", data.chunks().size()},
                {"cache_mib", static_cast<double>(cache) / kMiBs},
                {"stream_rates", of_each(streamed, rate)},
                {"memory_rates", of_each(in_memory, rate)},
                {"stream_samples_per_second", stream},
                {"memory_samples_per_second", memory},
                {"stream_over_memory", stream / memory},
                {"stream_wait_share", median(of_each(streamed, wait_share))},
                {"memory_wait_share", median(of_each(in_memory, wait_share))},
                {"stream_read_over_dataset", median(of_each(streamed, [&](const Pass& pass) { return pass.bytes_read / size; }))},
                {"stream_disk_over_dataset", median(of_each(streamed, [&](const Pass& pass) { return pass.bytes_disk / size; }))},
                {"memory_without_data_mib", without_data},
                {"stream_memory_growth_mib", streamed[0].peak_resident_mib}},
               values["json"].as<bool>());
  return 0;
}

}  // namespace lockstep::cli
