#include "formats/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "cli/commands.hpp"
#include "formats/csv_cell.hpp"
#include "train/whole_file.hpp"

namespace lockstep::cli {
namespace {

using Table = std::vector<std::vector<std::string>>;

/// Columns as wide as their widest cell.
std::string aligned(const Table& table) {
  std::vector<std::size_t> width(table[0].size());
  for (const auto& row : table) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      width[c] = std::max(width[c], row[c].size());
    }
  }
  std::string text;
  for (const auto& row : table) {
    std::string line;
    for (std::size_t c = 0; c < row.size(); ++c) {
      line += fmt::format("{:{}}  ", row[c], width[c]);
    }
    text += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
  }
  return text;
}

std::string csv(const Table& table) {
  std::string text;
  for (const auto& row : table) {
    for (std::size_t c = 0; c < row.size(); ++c) {
      text += (c > 0 ? "," : "") + csv_cell(row[c]);
    }
    text += '\n';
  }
  return text;
}

}  // namespace

int run_compare(const Arguments& arguments) {
  Options options("compare", "what tells runs apart: settings, best metric, parameters", "lockstep compare runs/sweep/* --csv sweep.csv");
  options.add().add_options()  //
      ("runs", po::value<std::vector<std::string>>()->required()->value_name("RUN..."),
       "run folders; the option's name may be left out")  //
      ("csv", po::value<std::string>()->value_name("FILE"), "write the table to this file, too");
  options.positional("runs", -1);
  if (!options.parse(arguments)) {
    return 0;
  }
  const auto folders = options.values()["runs"].as<std::vector<std::string>>();
  std::vector<RunFiles> runs;
  for (const std::string& folder : folders) {
    runs.push_back(read_run(folder));
  }
  const Table table = compare(runs);
  std::cout << aligned(table);
  for (std::size_t i = 1; i < folders.size(); ++i) {
    if (const auto difference = first_difference(folders[0], folders[i])) {
      std::cout << *difference << '\n';
    }
  }
  if (options.values().contains("csv")) {
    write_whole_file(options.values()["csv"].as<std::string>(), std::string_view(csv(table)));
  }
  return 0;
}

}  // namespace lockstep::cli
