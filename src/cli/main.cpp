#include <fmt/format.h>

#include <array>
#include <iostream>
#include <string>
#include <vector>

#include "cli/commands.hpp"
#include "cli/nearest.hpp"

namespace {

using namespace lockstep;

struct Command {
  std::string_view name;
  std::string_view summary;
  int (*run)(const cli::Arguments&);
};

constexpr std::array kCommands{
    Command{"import", "make a dataset of HDF5 shards from other files", cli::run_import},
    Command{"inspect", "show what is in a dataset and what would trouble training", cli::run_inspect},
    Command{"train", "train a model, alone or under mpirun", cli::run_train},
    Command{"evaluate", "loss and accuracy of a trained model", cli::run_evaluate},
    Command{"predict", "what a trained model says of samples", cli::run_predict},
    Command{"export", "write a trained model for other programs: safetensors, or ONNX", cli::run_export},
    Command{"report", "draw runs as one HTML file: curves, times, confusion matrix, samples", cli::run_report},
    Command{"compare", "what tells runs apart: settings, best metric, parameters", cli::run_compare},
    Command{"plan", "show what a step of a model does and costs", cli::run_plan},
    Command{"bench", "measure the speed of a training step, or of streaming data", cli::run_bench},
};

int usage(std::ostream& out, int code) {
  out << "lockstep: trains neural networks on many machines, bit for bit the same on any number of them\n\nUsage: lockstep COMMAND "
         "[OPTIONS]\n\n";
  for (const Command& command : kCommands) {
    out << fmt::format("  {:10} {}\n", command.name, command.summary);
  }
  out << "\nEach command shows its options and an example with --help.\n";
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    return usage(std::cerr, static_cast<int>(ExitCode::usage));
  }
  const std::string name = argv[1];
  if (name == "--help" || name == "-h" || name == "help") {
    return usage(std::cout, 0);
  }
  if (name == "--version") {
    std::cout << "lockstep " LOCKSTEP_VERSION "\n";
    return 0;
  }
  for (const Command& command : kCommands) {
    if (command.name != name) {
      continue;
    }
    return cli::report_errors("lockstep " + name, [&] { return command.run({argv + 2, argv + argc}); });
  }
  std::vector<std::string> known;
  for (const Command& command : kCommands) {
    known.emplace_back(command.name);
  }
  std::cerr << fmt::format("lockstep: there is no command '{}'{}\n\n", name, cli::did_you_mean(name, known));
  return usage(std::cerr, static_cast<int>(ExitCode::usage));
}
