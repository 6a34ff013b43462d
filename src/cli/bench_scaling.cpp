#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <iostream>
#include <set>
#include <thread>

#include "cli/bench.hpp"

namespace lockstep::cli {
namespace {

/// Of one number of workers; a measure for each repeat.
struct Row {
  int workers = 1;
  StepJob job;
  std::vector<StepMeasure> repeats;
  std::vector<double> exchange_ms;  ///< of the ordered sum over the model's flat array, alone

  [[nodiscard]] std::vector<double> of(double (*figure)(const StepMeasure&)) const {
    std::vector<double> all(repeats.size());
    std::ranges::transform(repeats, all.begin(), figure);
    return all;
  }
  [[nodiscard]] double step_ms() const {
    return median(of([](const StepMeasure& m) { return median(m.ms); }));
  }
  [[nodiscard]] double rate() const { return 1000 * static_cast<double>(job.settings.batch) / step_ms(); }
};

/// Until rank 0 says that the others are through; sleeps, since they need the cores.
void rest(Communicator& communicator) {
  std::byte word{};
  std::array request{communicator.receive(0, 0, {&word, 1})};
  constexpr auto kNap = std::chrono::milliseconds(2);
  while (!request[0].empty()) {
    Waiting waiting{"waiting for a turn"};  // how long the others take is no sign that one is lost
    communicator.test(request, waiting);
    std::this_thread::sleep_for(kNap);
  }
}

void wake(Communicator& communicator, int workers) {
  static constexpr std::byte word{1};
  std::vector<Request> requests;
  for (int w = workers; w < communicator.size(); ++w) {
    requests.push_back(communicator.send(w, 0, {&word, 1}));
  }
  communicator.wait(requests, {"waking the other workers"});
}

std::vector<Row> rows(const po::variables_map& values, const Communicator& communicator) {
  const std::vector<std::int64_t> counts = parse_list(values["workers"].as<std::string>());
  constexpr std::array<std::string_view, 2> kModes{"strong", "weak"};
  const bool strong = choice(values, "mode", kModes) == 0;
  const std::int64_t most = *std::ranges::max_element(counts);
  if (most > communicator.size()) {
    throw UsageError(fmt::format("--workers {}: only {} were started; start as many with mpirun -n {}", most, communicator.size(), most));
  }
  std::vector<Row> rows;
  for (const std::int64_t workers : counts) {
    Row row{static_cast<int>(workers), chosen_job(values), {}, {}};
    const std::int64_t share = strong ? most : workers;
    row.job.settings.batch = row.job.workload.batch * share;
    row.job.settings.lanes = static_cast<int>(share) * (row.job.settings.lanes > 0 ? row.job.settings.lanes : row.job.settings.threads);
    rows.push_back(std::move(row));
  }
  return rows;
}

void measure(Communicator& everyone, Row& row) {
  std::unique_ptr<Communicator> some;
  if (row.workers < everyone.size()) {
    some = row.workers > 1 ? mpi_communicator({.workers = row.workers}) : everyone.rank() == 0 ? self_communicator() : nullptr;
    if (!some) {
      rest(everyone);
      return;
    }
  }
  Communicator& workers = some ? *some : everyone;
  row.repeats.push_back(measure_step(workers, row.job));
  if (row.exchange_ms.empty()) {
    row.exchange_ms = measure_exchange(workers, row.repeats[0].parameters, 1, row.job.settings.share, false).ordered_ms;
  }
  if (everyone.rank() == 0) {
    wake(everyone, row.workers);
  }
}

nlohmann::ordered_json describe(const Row& row, const Row& first, const std::string& mode, int hosts) {
  const StepMeasure& any = row.repeats[0];
  const std::vector<double> steps = row.of([](const StepMeasure& m) { return median(m.ms); });
  const double bytes = static_cast<double>(any.parameters) * sizeof(float);
  const double samples = 1000 * static_cast<double>(row.job.settings.batch);
  const double exchange = median(row.exchange_ms);
  const bool one_hash = std::ranges::all_of(row.repeats, [&](const StepMeasure& m) { return m.parameter_hash == any.parameter_hash; });
  return {{"workload", row.job.workload.name},
          {"mode", mode},
          {"workers", row.workers},
          {"hosts", hosts},
          {"threads", row.job.settings.threads},
          {"batch", row.job.settings.batch},
          {"lanes", any.lanes},
          {"exchange", any.exchange},
          {"repeats", row.repeats.size()},
          {"samples_per_second", row.rate()},
          {"samples_per_second_min", samples / *std::ranges::max_element(steps)},
          {"samples_per_second_max", samples / *std::ranges::min_element(steps)},
          {"efficiency", row.rate() * first.workers / (first.rate() * row.workers)},
          {"step_ms", row.step_ms()},
          {"compute_ms", median(row.of([](const StepMeasure& m) { return m.compute_ms; }))},
          {"exposed_ms", median(row.of([](const StepMeasure& m) { return m.exposed_ms; }))},
          {"data_wait_ms", median(row.of([](const StepMeasure& m) { return m.data_wait_ms; }))},
          {"imbalance", median(row.of([](const StepMeasure& m) { return m.imbalance; }))},
          {"parameter_bytes", any.parameters * static_cast<std::int64_t>(sizeof(float))},
          {"bytes_sent", any.bytes_sent},
          {"exchange_alone_ms", exchange},
          {"bus_gb_s", bus_bandwidth(bytes, exchange, row.workers)},
          {"parameter_hash", one_hash ? any.parameter_hash : "differs between repeats"}};
}

void print_csv(const nlohmann::ordered_json& row, bool header) {
  std::string names;
  std::string line;
  for (const auto& [name, value] : row.items()) {
    names += (names.empty() ? "" : ",") + name;
    line += (line.empty() ? "" : ",") + (value.is_string() ? value.get<std::string>() : value.dump());
  }
  std::cout << (header ? names + "\n" : "") << line << "\n";
}

}  // namespace

int bench_scaling(const po::variables_map& values, Communicator& communicator) {
  std::vector<Row> all = rows(values, communicator);
  const std::int64_t repeats = values["repeats"].as<std::int64_t>();
  if (repeats < 1) {
    throw UsageError("--repeats must be at least 1");
  }
  for (std::int64_t repeat = 0; repeat < repeats; ++repeat) {
    for (Row& row : all) {
      measure(communicator, row);
    }
  }
  if (communicator.rank() != 0) {
    return 0;
  }
  std::set<std::string> hashes;
  for (const Row& row : all) {
    std::set<std::string> hosts;
    for (int w = 0; w < row.workers; ++w) {
      hosts.insert(communicator.host(w));
    }
    const nlohmann::ordered_json described = describe(row, all[0], values["mode"].as<std::string>(), static_cast<int>(hosts.size()));
    hashes.insert(described["parameter_hash"].get<std::string>());
    if (values["json"].as<bool>()) {
      print_result(described, true);
    } else {
      print_csv(described, &row == all.data());
    }
  }
  if (values["mode"].as<std::string>() == "strong" && hashes.size() > 1) {
    throw Error(ExitCode::worker_lost, "strong scaling: the parameters differ between numbers of workers");
  }
  return 0;
}

}  // namespace lockstep::cli
