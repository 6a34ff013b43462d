#include "data/inspect.hpp"

#include <iostream>

#include "cli/commands.hpp"

namespace lockstep::cli {

int run_inspect(const Arguments& arguments) {
  Options options("inspect", "show what is in a dataset and what would trouble training", "lockstep inspect datasets/fashion-mnist");
  options.add().add_options()("data", po::value<std::string>()->required()->value_name("DIR"), "a dataset, or a folder of them");
  options.positional("data", 1);
  if (options.parse(arguments)) {
    std::cout << inspect(options.values()["data"].as<std::string>());
  }
  return 0;
}

}  // namespace lockstep::cli
