#include "formats/run_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "data/sha256.hpp"
#include "formats/safetensors.hpp"
#include "train/parameters.hpp"
#include "train/whole_file.hpp"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr std::uint64_t kLinesPerEpoch = 100;
constexpr double kWriteEvery = 1;  ///< seconds of training between two writes
constexpr std::size_t kHashDigits = 16;

/// The numbers of a line after its step and epoch.
constexpr std::pair<const char*, double StepLine::*> kNumbers[] = {
    {"loss", &StepLine::loss},
    {"learning_rate", &StepLine::learning_rate},
    {"gradient_norm", &StepLine::gradient_norm},
};
constexpr std::pair<const char*, double StepLine::*> kTimes[] = {
    {"seconds", &StepLine::seconds},
    {"compute_seconds", &StepLine::compute_seconds},
    {"data_wait_seconds", &StepLine::data_wait_seconds},
    {"exchange_seconds", &StepLine::exchange_seconds},
    {"update_seconds", &StepLine::update_seconds},
    {"time", &StepLine::time},
};

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

/// Leaves those lines of a file whose "step" is at most `last`, up to the first that is none; returns them.
std::vector<std::string> cut_back(const fs::path& file, std::uint64_t last) {
  std::vector<std::string> kept;
  std::string text;
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object() || !json.contains("step") || !json["step"].is_number_unsigned() || json["step"].get<std::uint64_t>() > last) {
      break;
    }
    text += line + "\n";
    kept.push_back(std::move(line));
  }
  write_whole_file(file, text);
  return kept;
}

}  // namespace

void StepLine::append_to(std::string& text) const {
  const auto out = std::back_inserter(text);
  const auto number = [&](const char* name, double value, bool exact) {
    if (!std::isfinite(value)) {
      fmt::format_to(out, ",\"{}\":null", name);
    } else if (exact) {
      fmt::format_to(out, ",\"{}\":{}", name, value);
    } else {
      fmt::format_to(out, ",\"{}\":{:.6f}", name, value);
    }
  };
  fmt::format_to(out, "{{\"step\":{},\"epoch\":{}", step, epoch);
  for (const auto& [name, member] : kNumbers) {
    number(name, this->*member, true);
  }
  fmt::format_to(out, ",\"samples\":{}", samples);
  for (const auto& [name, member] : kTimes) {
    number(name, this->*member, false);
  }
  if (!slow.empty()) {
    fmt::format_to(out, ",\"slow\":{}", Json(slow).dump());
  }
  text += "}\n";
}

std::optional<StepLine> StepLine::from(std::string_view text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return std::nullopt;
  }
  const auto number = [&](const char* name) {
    return json.contains(name) && json[name].is_number() ? json[name].get<double>() : std::numeric_limits<double>::quiet_NaN();
  };
  const auto count = [&](const char* name) {
    return json.contains(name) && json[name].is_number_unsigned() ? json[name].get<std::uint64_t>() : 0;
  };
  StepLine line;
  line.step = count("step");
  line.epoch = count("epoch");
  line.samples = static_cast<std::int64_t>(count("samples"));
  for (const auto& [name, member] : kNumbers) {
    line.*member = number(name);
  }
  for (const auto& [name, member] : kTimes) {
    line.*member = number(name);
  }
  return line.step > 0 ? std::optional(line) : std::nullopt;
}

RunLog::~RunLog() {
  try {
    flush();
  } catch (const Error&) {  // NOLINT(bugprone-empty-catch): whoever ends a run has said why, or has written all that matters
  }
}

void RunLog::start(const Start& start) {
  every_ = settings_.every > 0 ? settings_.every : std::max<std::uint64_t>(1, start.steps_per_epoch / kLinesPerEpoch);
  counted_ = 0;
  sums_ = {};
  sums_.gradient_norm = 0;
  if (start.state.is_object()) {
    counted_ = start.state.at("steps").get<std::uint64_t>();
    sums_.samples = start.state.at("samples").get<std::int64_t>();
    sums_.loss = start.state.at("loss").get<double>();
    const Json& norm = start.state.at("gradient_norm");  // null stands for NaN: the recipe does not need it
    sums_.gradient_norm = norm.is_null() ? std::numeric_limits<double>::quiet_NaN() : norm.get<double>();
  }
  if (counted_ > 0) {
    sums_.seconds = sums_.compute = sums_.data_wait = sums_.exchange = sums_.update = std::numeric_limits<double>::quiet_NaN();
  }
  const std::vector<std::string> lines = cut_back(file("steps.jsonl"), start.step);
  if (fs::exists(file("hashes.jsonl"))) {
    cut_back(file("hashes.jsonl"), start.step);
  }
  if (!settings_.tensorboard) {
    return;
  }
  events_.emplace(file("tensorboard"));
  double time = now();
  auto row = start.history.begin();
  for (const std::string& text : lines) {
    const std::optional<StepLine> line = StepLine::from(text);
    for (; row != start.history.end() && line && row->step < line->step; ++row) {
      show(*row, time);
    }
    time = line && std::isfinite(line->time) ? line->time : time;
    if (line) {
      show(*line);
    }
  }
  for (; row != start.history.end(); ++row) {
    show(*row, time);
  }
  events_->flush();
}

void RunLog::step(const StepSeen& seen) {
  sums_.samples += seen.samples;
  sums_.loss += seen.loss;
  sums_.gradient_norm += seen.gradient_norm;
  sums_.seconds += seen.seconds;
  sums_.compute += seen.compute;
  sums_.data_wait += seen.data_wait;
  sums_.exchange += seen.exchange;
  sums_.update += seen.update;
  ++counted_;
  unwritten_ += seen.seconds;
  if (seen.step % every_ == 0) {
    close_line(seen);
  }
}

void RunLog::close_line(const StepSeen& last) {
  StepLine line;
  line.step = last.step;
  line.epoch = last.epoch;
  line.loss = sums_.loss / static_cast<double>(sums_.samples);
  line.learning_rate = last.learning_rate;
  line.gradient_norm = sums_.gradient_norm / static_cast<double>(counted_);
  line.samples = sums_.samples;
  line.seconds = sums_.seconds;
  line.compute_seconds = sums_.compute;
  line.data_wait_seconds = sums_.data_wait;
  line.exchange_seconds = sums_.exchange;
  line.update_seconds = sums_.update;
  line.time = now();
  line.slow = last.slow;
  line.append_to(text_);
  show(line);
  counted_ = 0;
  sums_ = {};
  sums_.gradient_norm = 0;
  if (unwritten_ >= kWriteEvery) {
    flush();
  }
}

void RunLog::model(std::span<const NamedTensor> tensors) { write_safetensors(RunFolder(settings_.run).model(), tensors); }

void RunLog::flush() {
  if (!text_.empty()) {
    append_to_file(file("steps.jsonl"), text_);
    text_.clear();
  }
  unwritten_ = 0;
  if (events_) {
    events_->flush();
  }
}

void RunLog::parameters(std::uint64_t step, const FlatLayout& layout, std::span<const float> flat) {
  Json hashes = Json::object();
  for (const NamedTensor& tensor : to_tensors(layout, flat)) {
    hashes[tensor.name] = sha256_hex(std::as_bytes(std::span(tensor.values))).substr(0, kHashDigits);
  }
  append_to_file(file("hashes.jsonl"), Json{{"step", step}, {"tensors", std::move(hashes)}}.dump() + "\n");
}

void RunLog::epoch(const EpochRow& row) {
  show(row, now());
  flush();
}

Json RunLog::checkpoint() {
  flush();
  return {{"steps", counted_}, {"samples", sums_.samples}, {"loss", sums_.loss}, {"gradient_norm", sums_.gradient_norm}};
}

void RunLog::show(const StepLine& line) {
  if (!events_) {
    return;
  }
  const auto add = [&](const char* tag, double value) { events_->add(line.step, line.time, tag, value); };
  add("step/loss", line.loss);
  add("step/learning_rate", line.learning_rate);
  add("step/gradient_norm", line.gradient_norm);
  add("step/samples_per_second", static_cast<double>(line.samples) / line.seconds);
  add("step/data_wait_share", line.data_wait_seconds / line.seconds);
  add("step/exchange_share", line.exchange_seconds / line.seconds);
}

void RunLog::show(const EpochRow& row, double time) {
  if (!events_) {
    return;
  }
  const auto add = [&](const std::string& tag, double value) { events_->add(row.step, time, "epoch/" + tag, value); };
  add("train_loss", row.train_loss);
  add("penalty", row.penalty);
  if (row.validation_loss) {
    add("validation_loss", *row.validation_loss);
  }
  for (const Figure& figure : row.figures) {
    add("validation_" + figure.name, figure.value);
  }
  add("learning_rate", row.learning_rate);
  add("parameter_norm", row.parameter_norm);
  add("samples_per_second", row.samples_per_second);
}

}  // namespace lockstep
