#include "train/initial.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "lockstep/error.hpp"
#include "lockstep/nn.hpp"
#include "train/parameters.hpp"

namespace lockstep {

std::string take_weights(const FlatLayout& layout, const StartingWeights& weights, std::span<float> flat) {
  const auto starts_afresh = [&](const std::string& name) {
    return std::ranges::any_of(weights.afresh, [&](const std::string& pattern) { return fits_pattern(name, pattern); });
  };
  std::vector<NamedTensor> taken;
  std::vector<std::string> wrong, fresh;
  for (const FlatTensor& tensor : layout.tensors) {
    const auto stored = std::ranges::find(weights.tensors, tensor.name, &NamedTensor::name);
    if (starts_afresh(tensor.name)) {
      fresh.push_back(tensor.name);
    } else if (stored == weights.tensors.end()) {
      wrong.push_back(fmt::format("missing in the file: {} {}", tensor.name, tensor.shape.str()));
    } else if (stored->shape != tensor.shape) {
      wrong.push_back(
          fmt::format("of another shape: {} is {} in the file, but {} in the model", tensor.name, stored->shape.str(), tensor.shape.str()));
    } else if (!std::ranges::all_of(stored->values, [](float x) { return std::isfinite(x); })) {
      wrong.push_back(fmt::format("infinite or NaN in the file: {}", tensor.name));
    } else {
      taken.push_back(*stored);
    }
  }
  for (const NamedTensor& tensor : weights.tensors) {
    if (!layout.contains(tensor.name) && !starts_afresh(tensor.name)) {
      wrong.push_back(fmt::format("not in the model: {} {}", tensor.name, tensor.shape.str()));
    }
  }
  if (!wrong.empty()) {
    throw CheckpointError(
        fmt::format("{} does not hold this model's weights:\n  {}\n  Let what is to differ start from its initialiser: "
                    "--afresh 'NAME.*'",
                    weights.file, fmt::join(wrong, "\n  ")));
  }
  from_tensors(layout, taken, flat);
  return fmt::format("starts from the {} tensors of {}{}", taken.size(), weights.file,
                     fresh.empty() ? "" : fmt::format("; afresh: {}", fmt::join(fresh, ", ")));
}

}  // namespace lockstep
