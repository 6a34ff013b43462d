#include "train/workloads.hpp"

#include <fmt/format.h>

#include <array>

#include "runtime/philox.hpp"

namespace lockstep {
namespace {

constexpr std::uint32_t kClasses = 10;

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

}  // namespace

Workload workload(const std::string& name) {
  const std::array all{mlp("mlp-tiny", {32}, 64), mlp("mlp", {1024, 1024}, 128), mlp("mlp-wide", {4096, 4096}, 32),
                       images("cnn", {1, 28, 28}), images("resnet20", {3, 32, 32})};
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
    : fields_{{"features", workload.model.sample, DType::f32}, {"labels", {}, DType::i32}} {
  std::int64_t row = 0;
  batch_.samples = batch;
  for (int v = 0; v < lanes; ++v) {
    const std::int64_t samples = (batch + v) / lanes;
    lane_samples_.push_back(static_cast<int>(samples));
    if (v >= lane_begin && v < lane_end) {
      const auto width = static_cast<std::size_t>(workload.model.sample.elements());
      auto* x = reinterpret_cast<float*>(memory_.emplace_back(static_cast<std::size_t>(samples) * width * sizeof(float)).data());
      auto* y = reinterpret_cast<std::int32_t*>(memory_.emplace_back(static_cast<std::size_t>(samples) * sizeof(std::int32_t)).data());
      for (std::int64_t i = 0; i < samples; ++i) {
        const auto sample = static_cast<std::uint32_t>(row + i);
        for (std::size_t j = 0; j < width; ++j) {
          const PhiloxCounter words = philox({static_cast<std::uint32_t>(j), sample, 0, 0}, philox_key(0, "workload", "features"));
          x[static_cast<std::size_t>(i) * width + j] = 2 * unit_float(words[0]) - 1;
        }
        y[i] = static_cast<std::int32_t>(philox({sample, 0, 0, 0}, philox_key(0, "workload", "labels"))[0] % kClasses);
      }
      batch_.lanes.push_back({v, samples, row, {memory_[memory_.size() - 2].data(), memory_.back().data()}, x, y, nullptr});
    }
    row += samples;
  }
}

}  // namespace lockstep
