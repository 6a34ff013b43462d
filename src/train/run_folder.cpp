#include "train/run_folder.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <system_error>
#include <vector>

#include "lockstep/error.hpp"
#include "train/whole_file.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::string_view kColumns = "epoch,step,train_loss,penalty,validation_loss";

constexpr std::string_view kFigures = "validation_";  ///< before a figure's name
constexpr std::string_view kValidationLoss = "validation_loss";

Json optional_number(const std::optional<double>& number) { return number ? Json(*number) : Json(); }

std::optional<double> optional_number(const Json& json) { return json.is_null() ? std::nullopt : std::optional(json.get<double>()); }

double number_or_nan(const Json& json) { return optional_number(json).value_or(std::numeric_limits<double>::quiet_NaN()); }

std::string csv_number(const std::optional<double>& number) { return number ? fmt::format("{}", *number) : ""; }

std::string json_line(const EpochRow& row) { return row.to_json_with_times().dump() + "\n"; }

/// The rows at the beginning of metrics.jsonl, up to the first line that is none.
std::vector<EpochRow> rows_in(const fs::path& file) {
  std::vector<EpochRow> rows;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    try {
      rows.push_back(EpochRow::from_json(Json::parse(line, nullptr, false)));
    } catch (const CheckpointError&) {
      break;
    }
  }
  return rows;
}

}  // namespace

Json EpochRow::to_json() const {
  Json json{{"epoch", epoch},
            {"step", step},
            {"train_loss", train_loss},
            {"penalty", penalty},
            {"validation_loss", optional_number(validation_loss)}};
  for (const Figure& figure : figures) {
    json[std::string(kFigures) + figure.name] = figure.value;
  }
  json["learning_rate"] = learning_rate;
  json["parameter_norm"] = parameter_norm;
  json["parameter_hash"] = parameter_hash;
  return json;
}

Json EpochRow::to_json_with_times() const {
  Json json = to_json();
  json["samples_per_second"] = samples_per_second;
  json["seconds"] = seconds;
  json["data_wait_share"] = data_wait_share;
  return json;
}

EpochRow EpochRow::from_json(const Json& json) {
  try {
    EpochRow row;
    row.epoch = json.at("epoch").get<std::uint64_t>();
    row.step = json.at("step").get<std::uint64_t>();
    row.train_loss = number_or_nan(json.at("train_loss"));
    row.penalty = number_or_nan(json.at("penalty"));
    row.validation_loss = optional_number(json.at("validation_loss"));
    for (const auto& [name, value] : json.items()) {
      if (name.starts_with(kFigures) && name != kValidationLoss) {
        row.figures.push_back({name.substr(kFigures.size()), number_or_nan(value)});
      }
    }
    row.learning_rate = number_or_nan(json.at("learning_rate"));
    row.parameter_norm = number_or_nan(json.value("parameter_norm", Json()));
    row.parameter_hash = json.at("parameter_hash").get<std::string>();
    row.samples_per_second = number_or_nan(json.value("samples_per_second", Json()));
    row.seconds = number_or_nan(json.value("seconds", Json()));
    row.data_wait_share = number_or_nan(json.value("data_wait_share", Json()));
    return row;
  } catch (const Json::exception& error) {
    throw CheckpointError(fmt::format("a row of the run's history cannot be read ({})", error.what()));
  }
}

std::string EpochRow::csv(std::span<const std::string> names) const {
  std::string text = fmt::format("{},{},{},{},{}", epoch, step, train_loss, penalty, csv_number(validation_loss));
  for (const std::string& name : names) {
    const auto figure = std::ranges::find(figures, name, &Figure::name);
    text += figure == figures.end() ? "," : fmt::format(",{}", figure->value);
  }
  return text + fmt::format(",{},{},{}\n", learning_rate, parameter_norm, parameter_hash);
}

RunFolder::RunFolder(fs::path path) : path_(std::move(path)) {
  std::error_code error;
  fs::create_directories(path_, error);
  if (error) {
    throw UsageError(fmt::format("the run folder {} cannot be created: {}. Give another one with --run.", path_.string(), error.message()));
  }
  // Only a write tells: permissions do not speak for read-only and shared file systems.
  const std::string probe = (path_ / ".probe.tmp").string();
  const int file = ::open(probe.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (file < 0) {
    throw UsageError(fmt::format("the run folder {} cannot be written to: {}. Give another one with --run.", path_.string(),
                                 std::generic_category().message(errno)));
  }
  ::close(file);
  ::unlink(probe.c_str());
}

void RunFolder::write_config(std::string_view text) const { write_whole_file(config(), text); }

void RunFolder::restore_history(std::span<const EpochRow> rows, std::vector<std::string> figures) {
  std::error_code ignored;
  fs::remove(result(), ignored);  // of an earlier end
  figures_ = std::move(figures);
  const std::vector<EpochRow> old = rows_in(path_ / "metrics.jsonl");
  std::string csv(kColumns);
  for (const std::string& figure : figures_) {
    csv += fmt::format(",{}{}", kFigures, figure);
  }
  csv += ",learning_rate,parameter_norm,parameter_hash\n";
  std::string jsonl;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool known = i < old.size() && old[i].to_json().dump() == rows[i].to_json().dump();
    csv += rows[i].csv(figures_);
    jsonl += json_line(known ? old[i] : rows[i]);
  }
  write_whole_file(path_ / "metrics.csv", csv);
  write_whole_file(path_ / "metrics.jsonl", jsonl);
}

void RunFolder::append(const EpochRow& row) const {
  append_to_file(path_ / "metrics.csv", row.csv(figures_));
  append_to_file(path_ / "metrics.jsonl", json_line(row));
}

}  // namespace lockstep
