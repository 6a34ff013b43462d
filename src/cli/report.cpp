#include "formats/report.hpp"

#include <fmt/format.h>

#include <iostream>

#include "cli/commands.hpp"
#include "cli/options.hpp"

namespace lockstep::cli {

int run_report(const Arguments& arguments) {
  Options options("report", "draw a run, or several side by side, as one HTML file",
                  "lockstep report runs/first runs/second --out compared.html");
  options.positional("run", -1);
  options.add().add_options()                                                                               //
      ("run", po::value<std::vector<std::string>>()->value_name("DIR"), "the run folders, one or several")  //
      ("out", po::value<std::string>()->value_name("FILE.html"), "the page; without it RUN/report.html, of several runs report.html here");
  if (!options.parse(arguments)) {
    return 0;
  }
  const po::variables_map& values = options.values();
  if (!values.contains("run")) {
    throw UsageError("give a run folder or several: lockstep report runs/first");
  }
  const auto& names = values["run"].as<std::vector<std::string>>();
  const std::vector<std::filesystem::path> runs(names.begin(), names.end());
  const std::filesystem::path folder = runs.size() == 1 ? runs[0] : std::filesystem::path();
  const std::filesystem::path file =
      values.contains("out") ? std::filesystem::path(values["out"].as<std::string>()) : folder / "report.html";
  write_report(runs, file);
  std::cout << fmt::format("{}\n", file.string());
  return 0;
}

}  // namespace lockstep::cli
