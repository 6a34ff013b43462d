#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <cmath>
#include <functional>
#include <iostream>
#include <limits>
#include <numeric>

#include "cli/bench.hpp"
#include "comm/gradient_flow.hpp"
#include "plan/compile.hpp"
#include "runtime/aligned.hpp"

namespace lockstep::cli {
namespace {

using Clock = std::chrono::steady_clock;

/// One array a worker and its two sums. Elements are small whole numbers, so any order of adding gives the same.
class SumBench {
 public:
  SumBench(Communicator& communicator, std::int64_t floats, bool share)
      : communicator_(communicator),
        mine_(static_cast<std::size_t>(floats)),
        sum_(static_cast<std::size_t>(floats)),
        lanes_(static_cast<std::size_t>(communicator.size()), 1),
        flow_(GradientFlow::create(communicator, job(floats), share)) {
    for (std::size_t i = 0; i < mine_.span().size(); ++i) {
      mine_.data()[i] = element(i, communicator.rank());
    }
  }
  [[nodiscard]] const char* kind() const { return flow_->kind(); }

  /// Into the flow's parameters.
  std::span<float> ordered() {
    flow_->begin_step(lanes_, step_++, Wish::nothing);
    const int me = communicator_.rank();
    for (int b = 0; b < flow_->buckets(); ++b) {
      const Pieces::Range span = flow_->pieces().span(b);
      std::copy_n(mine_.data() + span.offset, span.count, flow_->buffer(0, flow_->fold(0).target(me), b) + span.offset);
    }
    std::ranges::fill(flow_->lane_sums(me), 0.0);
    flow_->post_sums(0);
    const std::int64_t end = flow_->first() + flow_->buckets();
    flow_->post(0, end);
    float* const result = flow_->parameters().data();
    const auto keep = [result](const Atom& atom, const float* sum) { std::copy_n(sum, atom.count, result + atom.offset); };
    std::int64_t q = flow_->first();
    Backoff backoff;
    Waiting waiting{.what = {}};
    for (; q < end || !flow_->sums_ready(); q += q < end && flow_->settled(q) ? 1 : 0) {
      bool moves = flow_->progress(0);
      if (const auto piece = flow_->claim(0, end)) {
        flow_->sum_piece(0, *piece, std::cref(keep));
        flow_->updated(0, *piece);
        moves = true;
      }
      waiting.looked(moves);
      if (moves) {
        backoff = {};
      } else if (waiting.silent > communicator_.deadline) {
        flow_->name_the_silent(std::min(q, end - 1));
      } else {
        backoff.pause();
      }
    }
    return flow_->parameters();
  }
  std::span<float> library() {
    library_all_reduce(communicator_, mine_.span(), sum_.span());
    return sum_.span();
  }

  /// Milliseconds of one sum among `times` in a row, on the slowest worker; adds the wrong elements of the last to `wrong`.
  template <class Sum>
  double time(int times, std::int64_t& wrong, const Sum& sum) {
    for (const std::span<float> result : {sum_.span(), flow_->parameters()}) {
      std::ranges::fill(result, std::numeric_limits<float>::quiet_NaN());
    }
    communicator_.barrier({"the next sum"});
    const auto start = Clock::now();
    std::span<const float> result;
    for (int i = 0; i < times; ++i) {
      result = sum();
    }
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - start).count() / times;
    for (std::size_t i = 0; i < mine_.span().size(); ++i) {
      float expected = 0;
      for (int w = 0; w < communicator_.size(); ++w) {
        expected += element(i, w);
      }
      wrong += result[i] == expected ? 0 : 1;
    }
    return std::ranges::max(gather(communicator_, ms, "comparing times"));
  }

 private:
  static float element(std::size_t i, int worker) { return static_cast<float>((7 * i + 13 * static_cast<std::size_t>(worker)) % 64); }
  [[nodiscard]] GradientFlow::Job job(std::int64_t floats) const {
    constexpr std::int64_t kAtom = 1024;
    GradientFlow::Job job;
    job.lanes = communicator_.size();
    job.threads_per_worker = lanes_;
    job.size = floats;
    for (std::int64_t at = 0; at < floats; at += kAtom) {
      if (at % kBucketElements == 0) {
        job.buckets.emplace_back();
      }
      job.buckets.back().push_back({at, static_cast<std::int32_t>(std::min(kAtom, floats - at)), 0});
    }
    job.ring = static_cast<int>(job.buckets.size());  // a step can be written at once
    return job;
  }

  Communicator& communicator_;
  AlignedFloats mine_, sum_;
  std::vector<int> lanes_;  ///< one of each worker, a sample in each
  std::unique_ptr<GradientFlow> flow_;
  std::int64_t step_ = 0;
};

/// "64KiB..64MiB" (each four times the one before) or "64KiB,1MiB" → floats.
std::vector<std::int64_t> parse_sizes(const std::string& text) {
  std::vector<std::int64_t> sizes;
  const auto floats = [](const std::string& bytes) { return static_cast<std::int64_t>(parse_bytes(bytes) / sizeof(float)); };
  if (const std::size_t dots = text.find(".."); dots != std::string::npos) {
    const std::int64_t last = floats(text.substr(dots + 2));
    for (std::int64_t size = floats(text.substr(0, dots)); size > 0 && size <= last; size *= 4) {
      sizes.push_back(size);
    }
  } else {
    for (const std::string& size : split_names(text)) {
      sizes.push_back(floats(size));
    }
  }
  if (sizes.empty() || std::ranges::any_of(sizes, [](std::int64_t size) { return size < 1 || size > INT_MAX; })) {
    throw UsageError(fmt::format("--sizes {}: give sizes such as 64KiB..64MiB or 64KiB,1MiB", text));
  }
  return sizes;
}

}  // namespace

double bus_bandwidth(double bytes, double ms, int workers) { return bytes / (1e6 * ms) * 2 * (workers - 1) / workers; }

ExchangeMeasure measure_exchange(Communicator& communicator, std::int64_t floats, double seconds, bool share, bool library) {
  SumBench bench(communicator, floats, share);
  ExchangeMeasure measured;
  measured.kind = bench.kind();
  const auto ordered_ms = [&](int times) { return bench.time(times, measured.wrong, [&] { return bench.ordered(); }); };
  const auto library_ms = [&](int times) { return bench.time(times, measured.wrong, [&] { return bench.library(); }); };
  double ms = 0;
  constexpr double kSlow = 500;  // ms: no need for a second warm-up
  for (int warm = 0; warm < 2 && ms < kSlow; ++warm) {
    ms = ordered_ms(1) + (library ? library_ms(1) : 0);
  }
  constexpr double kTurn = 40;  // ms: far above the skew of a barrier
  const int times = std::clamp(static_cast<int>(kTurn / ms), 1, 1000);
  const int turns = std::clamp(static_cast<int>(1000 * seconds / (ms * times)), 3, 25);
  for (int turn = 0; turn < turns; ++turn) {
    measured.ordered_ms.push_back(ordered_ms(times));
    if (library) {
      measured.library_ms.push_back(library_ms(times));
    }
  }
  const std::vector<std::int64_t> wrong = gather(communicator, measured.wrong, "counting wrong elements");
  measured.wrong = std::accumulate(wrong.begin(), wrong.end(), std::int64_t{0});
  return measured;
}

int bench_exchange(const po::variables_map& values, Communicator& communicator) {
  const bool json = values["json"].as<bool>();
  const bool first = communicator.rank() == 0;
  if (first && !json) {
    std::cout << fmt::format("{} workers; ms a sum and bus bandwidth in GB/s, medians\n", communicator.size())
              << "       bytes   ordered  MPI_Allreduce      ordered  MPI_Allreduce  ratio   wrong\n";
  }
  std::int64_t wrong = 0;
  for (const std::int64_t floats : parse_sizes(values["sizes"].as<std::string>())) {
    const ExchangeMeasure measured = measure_exchange(communicator, floats, values["seconds"].as<double>(), shares_memory(values), true);
    wrong += measured.wrong;
    const auto bytes = static_cast<double>(floats) * sizeof(float);
    const double ordered = median(measured.ordered_ms);
    const double library = median(measured.library_ms);
    if (!first) {
      continue;
    }
    if (json) {
      print_result({{"workers", communicator.size()},
                    {"exchange", measured.kind},
                    {"bytes", floats * static_cast<std::int64_t>(sizeof(float))},
                    {"turns", measured.ordered_ms.size()},
                    {"ordered_ms", ordered},
                    {"ordered_ms_min", *std::ranges::min_element(measured.ordered_ms)},
                    {"mpi_ms", library},
                    {"mpi_ms_min", *std::ranges::min_element(measured.library_ms)},
                    {"ordered_bus_gb_s", bus_bandwidth(bytes, ordered, communicator.size())},
                    {"mpi_bus_gb_s", bus_bandwidth(bytes, library, communicator.size())},
                    {"wrong", measured.wrong}},
                   true);
    } else {
      std::cout << fmt::format("{:12.0f} {:9.3f} {:14.3f} {:12.3f} {:14.3f} {:6.2f} {:7}\n", bytes, ordered, library,
                               bus_bandwidth(bytes, ordered, communicator.size()), bus_bandwidth(bytes, library, communicator.size()),
                               library / ordered, measured.wrong);
    }
    std::cout.flush();
  }
  return wrong == 0 ? 0 : 1;
}

}  // namespace lockstep::cli
