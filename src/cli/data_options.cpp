#include "cli/data_options.hpp"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <iostream>

#include "data/describe_data.hpp"
#include "formats/data_names.hpp"
#include "formats/inspect.hpp"
#include "formats/summary.hpp"

namespace lockstep::cli {
namespace {

using Texts = std::vector<std::string>;
using AllStatistics = std::map<std::string, Statistics>;

std::vector<std::filesystem::path> matches(const std::string& pattern) {
  std::vector<std::filesystem::path> files;
  glob_t found{};
  if (glob(pattern.c_str(), GLOB_TILDE, nullptr, &found) == 0) {
    files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  globfree(&found);
  std::ranges::sort(files);
  return files;
}

/// Ours; a single file without --input is told apart by what it holds.
Dataset open_ours(const std::filesystem::path& path, const AllStatistics* statistics = nullptr) {
  if (std::filesystem::is_regular_file(path)) {
    throw UsageError(inspect(path));
  }
  return Dataset::open(path, statistics);
}

/// Other files than the training set's: weights are for training alone, targets for what knows them.
DataFiles others_like(DataFiles like, const std::string& list, bool targets = true) {
  like.files = expand_files(list);
  like.content.clear();
  std::erase_if(like.sources,
                [&](const FieldSource& source) { return source.role == Role::weight || (!targets && source.role == Role::target); });
  return like;
}

/// Labels that are zeros and ones to the loss stay so. Whether there was something to leave out.
bool keep_labels(const po::variables_map& values, AllStatistics& statistics) {
  return values["loss"].as<std::string>() == "sigmoid-cross-entropy" && statistics.erase("labels") > 0;
}

}  // namespace

void add_field_options(po::options_description& options) {
  options.add_options()  //
      ("input", po::value<Texts>()->value_name("[NAME=]/PATH[:HOW]"),
       "--data names HDF5 files made elsewhere, and this is what the model reads of them as NAME (features); :nhwc, :index (whole "
       "numbers), "
       ":real, :raw (not normalised). May be given again")  //
      ("target", po::value<Texts>()->value_name("[NAME=]/PATH[:HOW]"),
       "what it is to predict (labels); also :one-hot. May be given again")  //
      ("weight", po::value<std::string>()->value_name("/PATH"), "of each training sample in the loss");
}

std::vector<FieldSource> field_sources(const po::variables_map& values) {
  std::vector<FieldSource> sources;
  for (const auto& [option, role] : {std::pair{"input", Role::input}, {"target", Role::target}}) {
    for (const std::string& text : values.contains(option) ? values[option].as<Texts>() : Texts()) {
      sources.push_back(FieldSource::parse(text, role));
    }
  }
  if (values.contains("weight")) {
    sources.push_back(FieldSource::parse(values["weight"].as<std::string>(), Role::weight));
  }
  if (!sources.empty() && !values.contains("input")) {
    throw UsageError("--target and --weight need --input: what the model reads of the files");
  }
  return sources;
}

std::vector<std::filesystem::path> expand_files(const std::string& list) {
  std::vector<std::filesystem::path> files;
  for (const std::string& pattern : split_names(list)) {
    const std::vector<std::filesystem::path> found = matches(pattern);
    if (found.empty()) {
      throw DataError(fmt::format("{}: there is no such file.", pattern));
    }
    files.insert(files.end(), found.begin(), found.end());
  }
  if (const auto folder = std::ranges::find_if(files, [](const auto& file) { return std::filesystem::is_directory(file); });
      folder != files.end()) {
    throw DataError(fmt::format("{0}: is a folder. With --input, --data names HDF5 files, such as '{0}/*.h5'.", folder->string()));
  }
  return files;
}

namespace {

/// What `open` gives; a path that cannot be followed (a loop of links, no permission) is a DataError.
template <class Open>
auto with_data_errors(const Open& open) {
  try {
    return open();
  } catch (const std::filesystem::filesystem_error& error) {
    throw DataError(fmt::format("{}: {}.", error.path1().string(), error.code().message()));
  }
}

RunData open_run_data(const po::variables_map& values, Communicator& communicator) {
  const std::string data = values["data"].as<std::string>();
  const auto given = [&](const char* option) {
    return values.contains(option) ? std::optional(values[option].as<std::string>()) : std::nullopt;
  };
  const std::vector<FieldSource> sources = field_sources(values);
  if (sources.empty()) {
    const std::filesystem::path folder = data;
    const std::optional<std::string> test =
        given("test") || !std::filesystem::is_directory(folder / "test") ? given("test") : (folder / "test").string();
    Dataset training = open_ours(training_part(folder));
    AllStatistics statistics = statistics_in(describe_data(training));
    const auto open = [&](const std::filesystem::path& path) { return open_ours(path, &statistics); };
    if (keep_labels(values, statistics)) {
      training = open(training_part(folder));
    }
    return {std::move(training), given("validation") ? std::optional(open(*given("validation"))) : std::nullopt,
            test ? std::optional(open(*test)) : std::nullopt};
  }
  DataFiles files{expand_files(data), sources};
  std::string measured;
  await_root(communicator, [&files] { measure(files); }, {"rank 0 to look through the data"});
  if (communicator.rank() == 0) {
    keep_labels(values, files.statistics);
    nlohmann::ordered_json json = describe_data(Dataset::open(files));
    json["content"] = files.content;
    measured = json.dump();
  }
  share(communicator, measured, "what the data are");
  const auto json = nlohmann::ordered_json::parse(measured);
  files.statistics = statistics_in(json);
  files.content = json.at("content").get<std::string>();
  const auto open_others = [&](const char* option) {
    if (!given(option)) {
      return std::optional<Dataset>();
    }
    const DataFiles others = others_like(files, *given(option));
    DataFiles looked_through = others;
    await_root(communicator, [&looked_through] { measure(looked_through); }, {"rank 0 to look through the data"});
    return std::optional(Dataset::open(others));
  };
  return {Dataset::open(files), open_others("validation"), open_others("test")};
}

Dataset open_described(const nlohmann::ordered_json& description, const po::variables_map& values, bool targets) {
  const std::string data = values["data"].as<std::string>();
  DataFiles like = files_like(description, {});
  if (const std::vector<FieldSource> sources = field_sources(values); !sources.empty()) {
    like.sources = sources;
  }
  if (std::filesystem::is_directory(data) || like.sources.empty()) {
    const std::filesystem::path folder = data;
    return open_ours(std::filesystem::is_directory(folder / "test") ? folder / "test" : folder, &like.statistics);
  }
  const DataFiles others = others_like(like, data, targets);
  DataFiles looked_through = others;
  measure(looked_through);
  return Dataset::open(others);
}

}  // namespace

RunData open_data(const po::variables_map& values, Communicator& communicator) {
  return with_data_errors([&] {
    RunData data = open_run_data(values, communicator);
    const DataNames wanted = names_of(data.training);
    for (const std::optional<Dataset>* other : {&data.validation, &data.test}) {
      if (*other) {
        require_names(wanted, names_of(**other), (*other)->path().string(), true);
      }
    }
    return data;
  });
}

Dataset open_like(const nlohmann::ordered_json& description, const po::variables_map& values, bool targets) {
  return with_data_errors([&] {
    Dataset dataset = open_described(description, values, targets);
    require_names(names_in(description), names_of(dataset), dataset.path().string(), targets);
    return dataset;
  });
}

}  // namespace lockstep::cli
