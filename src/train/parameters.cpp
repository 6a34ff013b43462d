#include "train/parameters.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include "runtime/philox.hpp"

namespace lockstep {
namespace {

/// Inputs and outputs of one element's worth of a weight [out, in, ...].
struct Fans {
  double in = 1, out = 1;
};
Fans fans(const Shape& shape) {
  if (shape.rank() < 2) {
    return {};
  }
  const auto field = static_cast<double>(shape.elements()) / static_cast<double>(shape[0] * shape[1]);
  return {static_cast<double>(shape[1]) * field, static_cast<double>(shape[0]) * field};
}

void fill_uniform(std::span<float> values, PhiloxKey key, double low, double high) {
  for (std::size_t i = 0; i < values.size(); i += 2) {
    const PhiloxCounter r = philox({static_cast<std::uint32_t>(i / 2), static_cast<std::uint32_t>(i >> 33), 0, 0}, key);
    values[i] = static_cast<float>(low + (high - low) * unit_double(r[0], r[1]));
    if (i + 1 < values.size()) {
      values[i + 1] = static_cast<float>(low + (high - low) * unit_double(r[2], r[3]));
    }
  }
}

void fill_normal(std::span<float> values, PhiloxKey key, double mean, double deviation) {
  for (std::size_t i = 0; i < values.size(); i += 2) {
    const PhiloxCounter r = philox({static_cast<std::uint32_t>(i / 2), static_cast<std::uint32_t>(i >> 33), 0, 0}, key);
    const double radius = deviation * std::sqrt(-2 * std::log(1 - unit_double(r[0], r[1])));
    const double angle = 2 * std::numbers::pi * unit_double(r[2], r[3]);
    values[i] = static_cast<float>(mean + radius * std::cos(angle));
    if (i + 1 < values.size()) {
      values[i + 1] = static_cast<float>(mean + radius * std::sin(angle));
    }
  }
}

void fill(std::span<float> values, const FlatTensor& tensor, PhiloxKey key) {
  const Fans fan = fans(tensor.shape);
  const double glorot = std::sqrt(6 / (fan.in + fan.out));
  switch (tensor.init.kind) {
    case Initializer::Kind::constant:
      std::fill(values.begin(), values.end(), static_cast<float>(tensor.init.a));
      return;
    case Initializer::Kind::uniform:
      fill_uniform(values, key, tensor.init.a, tensor.init.b);
      return;
    case Initializer::Kind::normal:
      fill_normal(values, key, tensor.init.a, tensor.init.b);
      return;
    case Initializer::Kind::glorot:
      fill_uniform(values, key, -glorot, glorot);
      return;
    case Initializer::Kind::he:
      fill_normal(values, key, 0, std::sqrt(2 / fan.in));
      return;
  }
}

}  // namespace

void initialise(const FlatLayout& layout, std::uint64_t seed, std::span<float> flat) {
  for (const FlatTensor& tensor : layout.tensors) {
    fill(flat.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.count)), tensor,
         philox_key(seed, "initialise", tensor.name));
  }
}

std::vector<NamedTensor> to_tensors(const FlatLayout& layout, std::span<const float> flat, const std::string& prefix, bool trained_only) {
  std::vector<NamedTensor> tensors;
  for (const FlatTensor& tensor : layout.tensors) {
    if (tensor.trained || !trained_only) {
      const auto values = flat.subspan(static_cast<std::size_t>(tensor.offset), static_cast<std::size_t>(tensor.count));
      tensors.push_back({prefix + tensor.name, tensor.shape, {values.begin(), values.end()}});
    }
  }
  std::ranges::sort(tensors, {}, &NamedTensor::name);
  return tensors;
}

void from_tensors(const FlatLayout& layout, std::span<const NamedTensor> tensors, std::span<float> flat, const std::string& prefix) {
  for (const FlatTensor& tensor : layout.tensors) {
    const auto it = std::ranges::find(tensors, prefix + tensor.name, &NamedTensor::name);
    if (it != tensors.end()) {
      std::ranges::copy(it->values, flat.begin() + tensor.offset);
    }
  }
}

}  // namespace lockstep
