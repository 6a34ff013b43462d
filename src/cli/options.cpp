#include "cli/options.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <thread>

#include "cli/nearest.hpp"
#include "runtime/cores.hpp"
#include "train/read_number.hpp"

namespace lockstep::cli {
namespace {

/// Where labels have no names; the largest vocabularies are a tenth of this.
constexpr std::int32_t kMostClasses = 1 << 22;

/// A number and its unit: "64MiB".
double scaled(const std::string& text, const std::string& what, std::initializer_list<std::pair<const char*, double>> units) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  constexpr double kMost = 1e15;  // of any unit, so that no number of bytes or nanoseconds overflows
  if (error != std::errc() || !(number >= 0 && number <= kMost)) {
    throw UsageError(fmt::format("'{}' is no {}", text, what));
  }
  const std::string unit(end, text.data() + text.size());
  for (const auto& [name, scale] : units) {
    if (unit == name) {
      return number * scale;
    }
  }
  throw UsageError(fmt::format("'{}' is no {}: the unit '{}' is unknown", text, what, unit));
}

/// What is wrong, with the nearest of the options where one is unknown; `prefix`: "--" where they are written so.
std::string explain(const po::error& error, const po::options_description& described, std::string_view prefix) {
  const auto* unknown = dynamic_cast<const po::unknown_option*>(&error);
  if (unknown == nullptr) {
    return error.what();
  }
  std::string given = unknown->get_option_name();
  given = given.substr(0, given.find('='));
  given.erase(0, given.find_first_not_of('-'));
  std::vector<std::string> known;
  for (const auto& option : described.options()) {
    known.push_back(option->long_name());
  }
  return fmt::format("unknown option {}{}{}", prefix, given, did_you_mean(given, known, prefix));
}

/// The file that an option names.
std::ifstream open_text(const char* option, const std::string& file) {
  std::error_code none;
  std::ifstream in(file);
  if (!in || std::filesystem::is_directory(file, none)) {
    throw UsageError(fmt::format("--{} {}: {}", option, file, std::strerror(in ? EISDIR : errno)));
  }
  return in;
}

}  // namespace

Options::Options(std::string command, std::string summary, std::string example)
    : command_(std::move(command)), summary_(std::move(summary)), example_(std::move(example)), described_("Options", 120) {
  described_.add_options()("help,h", "show this text")("config", po::value<std::string>()->value_name("FILE"),
                                                       "read options from an INI file; the command line wins");
}

bool Options::parse(const Arguments& arguments) {
  try {
    po::store(po::command_line_parser(arguments).options(described_).positional(positional_).run(), values_);
    if (values_.contains("help")) {
      std::cout << fmt::format("lockstep {}: {}\n\n", command_, summary_) << described_ << fmt::format("\nExample: {}\n", example_);
      return false;
    }
    if (values_.contains("config")) {
      const std::string file = values_["config"].as<std::string>();
      std::ifstream in = open_text("config", file);
      try {  // `train` is strict; the others may be given a run's config.ini and take what is theirs
        po::store(po::parse_config_file(in, described_, command_ != "train"), values_);
      } catch (const po::error& error) {
        throw UsageError(fmt::format("{}: {}", file, explain(error, described_, "")));
      }
    }
    po::notify(values_);
  } catch (const po::error& error) {
    throw UsageError(fmt::format("{}\n  See: lockstep {} --help", explain(error, described_, "--"), command_));
  }
  return true;
}

std::string Options::ini(std::span<const std::string_view> without) const {
  std::string text = fmt::format("# lockstep {}: every option as it was resolved\n", command_);
  for (const auto& [name, value] : values_) {
    if (name == "config" || name == "help" || std::ranges::find(without, name) != without.end()) {
      continue;
    }
    const boost::any& any = value.value();
    if (const auto* s = boost::any_cast<std::string>(&any)) {
      text += fmt::format("{} = {}\n", name, *s);
    } else if (const auto* list = boost::any_cast<std::vector<std::string>>(&any)) {
      for (const std::string& each : *list) {
        text += fmt::format("{} = {}\n", name, each);
      }
    } else if (const auto* d = boost::any_cast<double>(&any)) {
      text += fmt::format("{} = {}\n", name, *d);
    } else if (const auto* i = boost::any_cast<std::int64_t>(&any)) {
      text += fmt::format("{} = {}\n", name, *i);
    } else if (const auto* b = boost::any_cast<bool>(&any)) {
      text += fmt::format("{} = {}\n", name, *b);
    }
  }
  return text;
}

std::size_t parse_bytes(const std::string& text) {
  constexpr double k = 1024;
  return static_cast<std::size_t>(
      scaled(text, "number of bytes, such as 64MiB",
             {{"", 1}, {"B", 1}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"KiB", k}, {"MiB", k * k}, {"GiB", k * k * k}}));
}

double parse_seconds(const std::string& text) {
  constexpr double kMinute = 60, kHour = 3600, kDay = 86400;
  int days = 0, hours = 0, minutes = 0, seconds = 0, end = 0;
  std::sscanf(text.c_str(), "%5d-%n", &days, &end);
  days = end > 0 ? days : 0;
  const char* const clock = text.c_str() + end;
  if (text.find(':') == std::string::npos) {
    return scaled(text, "time, such as 30s", {{"", 1}, {"s", 1}, {"m", kMinute}, {"h", kHour}, {"d", kDay}});
  }
  if (std::sscanf(clock, "%5d:%2d:%2d%n", &hours, &minutes, &seconds, &end) != 3 || clock[end] != '\0') {
    throw UsageError(fmt::format("'{}' is no time, such as 2:00:00 or 1-02:00:00", text));
  }
  return days * kDay + hours * kHour + minutes * kMinute + seconds;
}

std::vector<std::string> split_names(const std::string& text) {
  std::vector<std::string> names;
  for (std::size_t begin = 0; begin <= text.size() && !text.empty();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    names.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return names;
}

std::vector<std::int64_t> parse_list(const std::string& text) {
  std::vector<std::int64_t> numbers;
  for (const std::string& item : split_names(text)) {
    const auto number = read_number<std::int64_t>(item);
    if (!number || *number < 1) {
      throw UsageError(fmt::format("'{}' is no list of positive numbers, such as 256,128", text));
    }
    numbers.push_back(*number);
  }
  return numbers;
}

std::size_t choice(const po::variables_map& values, const char* name, std::span<const std::string_view> choices) {
  const auto& given = values[name].as<std::string>();
  const auto found = std::ranges::find(choices, given);
  if (found == choices.end()) {
    throw UsageError(
        fmt::format("--{} {}: there are {} and {}", name, given, fmt::join(choices.first(choices.size() - 1), ", "), choices.back()));
  }
  return static_cast<std::size_t>(found - choices.begin());
}

bool shares_memory(const po::variables_map& values) {
  constexpr std::array<std::string_view, 2> kWays{"auto", "messages"};
  return choice(values, "exchange", kWays) == 0;
}

Pin pins_threads(const po::variables_map& values) {
  constexpr std::array<std::string_view, 3> kWays{"auto", "on", "off"};
  constexpr std::array kPins{Pin::alone, Pin::on, Pin::off};
  return kPins.at(choice(values, "pin", kWays));
}

void add_model_options(po::options_description& options) {
  options.add_options()                                                                                                     //
      ("model", po::value<std::string>()->default_value("mlp"), "mlp, cnn, resnet20, gpt, or FILE.json")                    //
      ("hidden", po::value<std::string>()->default_value("256,128"), "mlp: widths of the hidden layers")                    //
      ("activation", po::value<std::string>()->default_value("relu"), "sigmoid, tanh, relu, elu, softplus, gelu or silu")   //
      ("dropout", po::value<double>()->default_value(0), "drop each activation of the dense layers with this probability")  //
      ("batch-norm", po::bool_switch(), "batch norm after each hidden layer, over the samples of one lane")                 //
      ("depth", po::value<std::int64_t>()->default_value(0), "resnet20: blocks of a stage; gpt: blocks; 0: 3 or 4")         //
      ("width", po::value<std::int64_t>()->default_value(0), "resnet20: channels of the first stage; gpt: of a position; 0: 16 or 128")(
          "heads", po::value<std::int64_t>()->default_value(0), "gpt: of each block; 0: 4");
}

namespace {

/// Refuses what a model would not heed; a file says all of its model.
void refuse_unheeded(const ModelOptions& options) {
  struct Use {
    std::string_view option;
    bool given;
    std::string_view models;
  };
  const ModelOptions usual;
  for (const Use& use : {Use{"hidden", options.hidden != usual.hidden, "mlp"},
                         {"activation", options.activation != usual.activation, "mlp or cnn"},
                         {"dropout", options.dropout != usual.dropout, "mlp or cnn"},
                         {"batch-norm", options.batch_norm, "mlp or cnn"},
                         {"depth", options.depth != usual.depth, "resnet20 or gpt"},
                         {"width", options.width != usual.width, "resnet20 or gpt"},
                         {"heads", options.heads != usual.heads, "gpt"}}) {
    if (use.given && use.models.find(options.name) == std::string_view::npos) {
      throw UsageError(fmt::format("--{} is for the model {}; {} has no such option", use.option, use.models, options.name));
    }
  }
}

}  // namespace

ModelOptions model_options(const po::variables_map& values, const Shape& sample, std::int64_t classes) {
  ModelOptions options;
  options.name = values["model"].as<std::string>();
  options.sample = sample;
  options.classes = classes;
  options.hidden = parse_list(values["hidden"].as<std::string>());
  options.activation = nn::activation_from(values["activation"].as<std::string>());
  options.dropout = values["dropout"].as<double>();
  options.batch_norm = values["batch-norm"].as<bool>();
  options.depth = values["depth"].as<std::int64_t>();
  options.width = values["width"].as<std::int64_t>();
  options.heads = values["heads"].as<std::int64_t>();
  refuse_unheeded(options);
  return options;
}

std::optional<Model> model_from_file(const po::variables_map& values) {
  const std::string file = values["model"].as<std::string>();
  if (!file.ends_with(".json")) {
    return std::nullopt;
  }
  static_cast<void>(model_options(values, {}, 0));  // there are none
  std::ifstream in = open_text("model", file);
  try {
    return Model::from_json({std::istreambuf_iterator<char>(in), {}});
  } catch (const UsageError& error) {
    throw UsageError(fmt::format("{}: {}\n  The form of a model file stands in src/nn/README.md; shapes are those of {} samples.", file,
                                 error.what(), Model::kSomeSamples));
  }
}

std::filesystem::path training_part(const std::filesystem::path& data) {
  return std::filesystem::is_directory(data / "train") ? data / "train" : data;
}

std::int64_t count_classes(const Dataset& dataset) {
  if (!dataset.class_names().empty()) {
    return static_cast<std::int64_t>(dataset.class_names().size());
  }
  std::int32_t greatest = 1;
  dataset.for_each_label([&](std::int32_t label, const ChunkInfo&, std::int64_t) { greatest = std::max(greatest, label); });
  if (greatest >= kMostClasses) {
    throw DataError(
        fmt::format("{}: /labels holds the class {}, so that a model would need {} outputs.\n"
                    "  Are they numbers rather than classes? Look at the data with: lockstep inspect",
                    dataset.path().string(), greatest, std::int64_t{greatest} + 1));
  }
  return std::int64_t{greatest} + 1;
}

int default_threads(const Communicator& communicator) {
  const int here = static_cast<int>(process_cores().size());
  int workers = 0;
  for (int w = 0; w < communicator.size(); ++w) {
    workers += communicator.host(w) == communicator.host(communicator.rank()) ? 1 : 0;
  }
  return std::max(1, here / workers);
}

namespace {

struct Fault {
  ExitCode code;
  std::string reason;
};

/// In a handler: what was thrown.
Fault current_fault() {
  try {
    throw;
  } catch (const Error& error) {
    return {error.code(), error.what()};
  } catch (const std::filesystem::filesystem_error& error) {
    return {ExitCode::data, fmt::format("{}: {}", error.path1().string(), error.code().message())};
  } catch (const std::bad_alloc&) {
    return {ExitCode::worker_lost, "out of memory."};
  } catch (const std::exception& error) {
    return {static_cast<ExitCode>(1), fmt::format("unforeseen: {}", error.what())};
  }
}

}  // namespace

int report_errors(const std::string& name, const std::function<int()>& command) {
  try {
    return command();
  } catch (...) {
    const Fault fault = current_fault();
    std::cerr << fmt::format("{}: {}\n", name, fault.reason);
    return static_cast<int>(fault.code);
  }
}

ExitCode tell_fault(const Communicator& communicator) {
  const Fault fault = current_fault();
  if (communicator.rank() != 0) {  // a mistake that all workers see is told by rank 0 alone, which then ends the job
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  std::cout.flush();
  const bool placed = fault.reason.starts_with(communicator.name(communicator.rank()));
  std::cerr << (placed ? fault.reason + "\n" : fmt::format("{}: {}\n", communicator.place(), fault.reason)) << std::flush;
  return fault.code;
}

int with_workers(double deadline, const std::function<int(Communicator&)>& work) {
  if (!(deadline > 0)) {
    throw UsageError(fmt::format("--deadline must be above 0 seconds, not {}", deadline));
  }
  MpiOptions mpi;
  mpi.deadline = std::chrono::duration<double>(deadline);
  const std::unique_ptr<Communicator> communicator = connect_workers(mpi);
  try {
    return work(*communicator);
  } catch (...) {
    if (communicator->size() == 1 && communicator->step < 0) {
      throw;
    }
    const ExitCode code = tell_fault(*communicator);
    if (communicator->size() > 1) {
      communicator->abort(code);
    }
    return static_cast<int>(code);
  }
}

}  // namespace lockstep::cli
