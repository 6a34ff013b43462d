#include "cli/workloads.hpp"

#include <fmt/format.h>

#include <array>

#include "runtime/philox.hpp"
#include "train/job.hpp"

namespace lockstep {
namespace {

/// A workload of 10 classes.
Workload classifier(std::string name, const std::string& model, const Shape& sample, std::int64_t batch,
                    std::vector<std::int64_t> hidden = {}) {
  Workload workload{std::move(name), {}, batch};
  workload.model.name = model;
  workload.model.sample = sample;
  workload.model.hidden = std::move(hidden);
  return workload;
}

Workload gpt() {
  Workload workload = classifier("gpt", "gpt", {128}, 16);
  workload.model.classes = 96;
  return workload;
}

/// Samples first_row … first_row+samples−1 of a field: f32 uniform in [−1, 1), i32 in 0 … below−1.
AlignedBytes synthetic(const Field& field, std::int64_t first_row, std::int64_t samples, std::int64_t below) {
  const auto width = static_cast<std::size_t>(field.sample.elements());
  AlignedBytes bytes(static_cast<std::size_t>(samples) * width * size_of(field.dtype));
  const PhiloxKey key = philox_key(0, "workload", field.name);
  for (std::size_t i = 0; i < static_cast<std::size_t>(samples) * width; ++i) {
    const auto sample = static_cast<std::uint32_t>(static_cast<std::size_t>(first_row) + i / width);
    const std::uint32_t word = philox({static_cast<std::uint32_t>(i % width), sample, 0, 0}, key)[0];
    if (field.dtype == DType::i32) {
      reinterpret_cast<std::int32_t*>(bytes.data())[i] = static_cast<std::int32_t>(word % static_cast<std::uint32_t>(below));
    } else {
      reinterpret_cast<float*>(bytes.data())[i] = 2 * unit_float(word) - 1;
    }
  }
  return bytes;
}

}  // namespace

Workload workload(const std::string& name) {
  const std::array all{classifier("mlp-tiny", "mlp", {784}, 64, {32}),         classifier("mlp", "mlp", {784}, 128, {1024, 1024}),
                       classifier("mlp-wide", "mlp", {784}, 32, {4096, 4096}), classifier("cnn", "cnn", {1, 28, 28}, 64),
                       classifier("resnet20", "resnet20", {3, 32, 32}, 64),    gpt()};
  std::string names;
  for (const Workload& each : all) {
    if (each.name == name) {
      return each;
    }
    names += (names.empty() ? "" : ", ") + each.name;
  }
  throw UsageError(fmt::format("there is no workload '{}'; there are {}", name, names));
}

SyntheticBatch::SyntheticBatch(const Workload& workload, std::int64_t batch, int lanes, int lane_begin, int lane_end)
    : fields_(inputs_of(build_model(workload.model))) {
  std::int64_t row = 0;
  batch_.samples = batch;
  for (int v = 0; v < lanes; ++v) {
    const std::int64_t samples = (batch + v) / lanes;
    lane_samples_.push_back(static_cast<int>(samples));
    if (v >= lane_begin && v < lane_end) {
      LaneBatch lane{v, samples, row, {}};
      for (const Field& field : fields_) {
        memory_.push_back(synthetic(field, row, samples, workload.model.classes));
        lane.fields.push_back(memory_.back().data());
      }
      batch_.lanes.push_back(std::move(lane));
    }
    row += samples;
  }
}

}  // namespace lockstep
