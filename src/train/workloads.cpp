#include "train/workloads.hpp"

#include <fmt/format.h>

#include <array>

#include "runtime/philox.hpp"

namespace lockstep {
namespace {

Workload mlp(std::string name, std::vector<std::int64_t> hidden, std::int64_t batch) {
  Workload workload{std::move(name), {}, batch};
  workload.model.sample = {784};
  workload.model.hidden = std::move(hidden);
  return workload;
}

/// A model with its own options: name, samples of this shape, 10 classes.
Workload images(const std::string& name, const Shape& sample) {
  Workload workload{name, {}, 64};
  workload.model.name = name;
  workload.model.sample = sample;
  return workload;
}

Workload gpt() {
  Workload workload{"gpt", {}, 16};
  workload.model.name = "gpt";
  workload.model.sample = {128};
  workload.model.classes = 96;
  return workload;
}

/// What a model reads, as a dataset's fields.
std::vector<Field> inputs_of(const Model& model) {
  std::vector<Field> fields;
  for (const Node& node : model.program("train").nodes()) {
    if (node.op == &leaf::input()) {
      std::vector<std::int64_t> sample = node.outputs[0].shape.dims();
      sample.erase(sample.begin());
      fields.push_back({node.attrs.text("name"), Shape(std::move(sample)), node.outputs[0].dtype});
    }
  }
  return fields;
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
  const std::array all{mlp("mlp-tiny", {32}, 64),  mlp("mlp", {1024, 1024}, 128),   mlp("mlp-wide", {4096, 4096}, 32),
                       images("cnn", {1, 28, 28}), images("resnet20", {3, 32, 32}), gpt()};
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
