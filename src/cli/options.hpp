#pragma once

#include <array>
#include <boost/program_options.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "comm/communicator.hpp"
#include "data/dataset.hpp"
#include "lockstep/nn.hpp"
#include "train/trainer.hpp"

namespace lockstep::cli {

namespace po = boost::program_options;
using Arguments = std::vector<std::string>;

/// The options of one command, from the command line and from an INI file given by --config; the command line wins.
class Options {
 public:
  /// `example` stands at the end of --help.
  Options(std::string command, std::string summary, std::string example);
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  [[nodiscard]] po::options_description& add() { return described_; }
  /// The words that follow the command without a dash get this option's name.
  void positional(const char* name, int most) { positional_.add(name, most); }

  /// False if --help was asked for (it is then printed). Throws UsageError on an option that is unknown, misspelt or lacks its value.
  bool parse(const Arguments& arguments);
  [[nodiscard]] const po::variables_map& values() const { return values_; }
  /// Everything that was resolved, as an INI file that --config reads.
  [[nodiscard]] std::string ini(std::span<const std::string_view> without = {}) const;

 private:
  std::string command_, summary_, example_;
  po::options_description described_;
  po::positional_options_description positional_;
  po::variables_map values_;
};

/// "64MiB", "1.5GB", "4096" → bytes. Throws UsageError.
[[nodiscard]] std::size_t parse_bytes(const std::string& text);
/// "30s", "2m", "1h", "45", "02:00:00", "1-02:00:00" (days) → seconds. Throws UsageError.
[[nodiscard]] double parse_seconds(const std::string& text);
/// "256,128" → numbers. Throws UsageError.
[[nodiscard]] std::vector<std::int64_t> parse_list(const std::string& text);
[[nodiscard]] std::vector<std::string> split_names(const std::string& text);

/// Which of the choices the option says. Throws UsageError naming them.
[[nodiscard]] std::size_t choice(const po::variables_map& values, const char* name, std::span<const std::string_view> choices);
/// What --exchange says: auto (true) or messages. Throws UsageError.
[[nodiscard]] bool shares_memory(const po::variables_map& values);
/// What --pin asks for.
[[nodiscard]] Pin pins_threads(const po::variables_map& values);

/// The options that choose a built-in model or a file.
inline constexpr std::array<std::string_view, 8> kModelOptions{"model",      "hidden", "activation", "dropout",
                                                               "batch-norm", "depth",  "width",      "heads"};
void add_model_options(po::options_description& options);
/// `sample` and `classes` as the data have them.
[[nodiscard]] ModelOptions model_options(const po::variables_map& values, const Shape& sample, std::int64_t classes);
/// The model of the file that --model names, where it ends in .json. Throws UsageError naming the file and what is wrong in it.
[[nodiscard]] std::optional<Model> model_from_file(const po::variables_map& values);

/// DIR/train if there is one, else DIR itself.
[[nodiscard]] std::filesystem::path training_part(const std::filesystem::path& data);
/// Classes: as many as there are names, or as the greatest label says.
[[nodiscard]] std::int64_t count_classes(const Dataset& dataset);

/// Cores that this process may use, shared among the workers on this host; at least 1.
[[nodiscard]] int default_threads(const Communicator& communicator);

/// What `command` returns; where it throws, its exit code, with the reason on stderr after `name`.
int report_errors(const std::string& name, const std::function<int()>& command);

/// Says on stderr why the exception under way was thrown, and where: "rank 2 (node07), step 1841: REASON". Returns the exit code of the
/// cause.
ExitCode tell_fault(const Communicator& communicator);

/// Connects to the other workers, if any, and runs `work`. A worker that fails tells so (`tell_fault`) and ends the whole job with
/// that exit code. A lone one does the same once it has begun to train; before, it throws.
int with_workers(double deadline, const std::function<int(Communicator&)>& work);

}  // namespace lockstep::cli
