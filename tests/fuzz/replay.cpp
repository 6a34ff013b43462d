// Runs targets on what they start from and on the files of the corpus, without libFuzzer.
//
//   fuzz_replay TARGET FOLDER    the seeds, each seed cut short and with bytes changed, and the files in FOLDER
//   fuzz_replay --seeds TARGET FOLDER    writes the seeds there
//   fuzz_replay --targets        their names
#include <fmt/format.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <iterator>

#include "fuzz/target.hpp"

namespace lockstep::fuzz {
namespace {

namespace fs = std::filesystem;

/// Places in all seeds of a target that are tried, so that all targets together take seconds.
constexpr std::size_t kPlaces = 120;

class Replay {
 public:
  explicit Replay(const Target& target) : target_(target) {}

  void run(std::span<const std::uint8_t> bytes, const std::string& name) {
    std::string what;
    ++runs_;
    if (!survives(target_, bytes, what)) {
      std::cerr << fmt::format("{}: {}: {}\n", target_.name, name, what);
      ++failures_;
    }
  }

  /// Cut at places all over it, and with bytes replaced by 0, 255 and others, the same each time.
  void run_variants(const Bytes& seed, const std::string& name, std::size_t stride) {
    for (std::size_t at = stride - 1 - passed_; at < seed.size(); at += stride) {
      run(std::span(seed).first(at), fmt::format("{} cut to {}", name, at));
      for (const std::uint8_t value : {std::uint8_t{0}, std::uint8_t{255}, static_cast<std::uint8_t>(seed[at] ^ 0x41)}) {
        Bytes changed = seed;
        changed[at] = value;
        run(changed, fmt::format("{} with byte {} = {}", name, at, value));
      }
    }
    passed_ = (passed_ + seed.size()) % stride;
  }

  [[nodiscard]] int runs() const { return runs_; }
  [[nodiscard]] int failures() const { return failures_; }

 private:
  const Target& target_;
  std::size_t passed_ = 0;  ///< bytes since the last place that was tried
  int runs_ = 0;
  int failures_ = 0;
};

int replay(const Target& target, const fs::path& folder) {
  const auto begin = std::chrono::steady_clock::now();
  Replay replay(target);
  const std::vector<Bytes> seeds = target.seeds();
  std::size_t bytes = 0;
  for (const Bytes& seed : seeds) {
    bytes += seed.size();
  }
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    replay.run(seeds[i], fmt::format("seed {}", i));
    replay.run_variants(seeds[i], fmt::format("seed {}", i), bytes / kPlaces + 1);
  }
  int files = 0;
  for (const auto& entry : fs::is_directory(folder) ? fs::directory_iterator(folder) : fs::directory_iterator()) {
    std::ifstream in(entry.path(), std::ios::binary);
    const Bytes bytes{std::istreambuf_iterator<char>(in), {}};
    replay.run(bytes, entry.path().string());
    ++files;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::cout << fmt::format("{}: {} inputs, {} of them files, in {:.1f} s; {} not refused as they should be\n", target.name, replay.runs(),
                           files, took.count(), replay.failures());
  return replay.failures() == 0 && !seeds.empty() ? 0 : 1;
}

int write_seeds(const Target& target, const fs::path& folder) {
  const std::vector<Bytes> seeds = target.seeds();
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    std::ofstream(folder / fmt::format("seed-{}", i), std::ios::binary)
        .write(reinterpret_cast<const char*>(seeds[i].data()), std::ssize(seeds[i]));
  }
  return 0;
}

int main_of(std::vector<std::string> arguments) {
  if (arguments.size() == 1 && arguments[0] == "--targets") {
    for (const Target& target : targets()) {
      std::cout << target.name << '\n';
    }
    return 0;
  }
  const bool seeds = !arguments.empty() && arguments[0] == "--seeds";
  arguments.erase(arguments.begin(), arguments.begin() + (seeds ? 1 : 0));
  const Target* const target = arguments.size() == 2 ? target_named(arguments[0]) : nullptr;
  if (target == nullptr) {
    std::cerr << "fuzz_replay [--seeds] TARGET FOLDER, or --targets\n";
    return 2;
  }
  return seeds ? write_seeds(*target, arguments[1]) : replay(*target, arguments[1]);
}

}  // namespace
}  // namespace lockstep::fuzz

int main(int argc, char** argv) { return lockstep::fuzz::main_of({argv + 1, argv + argc}); }
