#include "train/parameters.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

#include "data/sha256.hpp"
#include "ops/keyed.hpp"

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

/// Writes shift + scale · number, block by block.
template <class Numbers>
void draw(std::span<float> values, const KeyedSource& source, Numbers numbers, double scale, double shift) {
  KeyedWords words;
  for (std::size_t begin = 0; begin < values.size(); begin += kKeyedBlock) {
    source.words(words, 0, begin / kKeyedBlock);
    const KeyedNumbers drawn = numbers(words);
    for (std::size_t i = 0; i < std::min(kKeyedBlock, values.size() - begin); ++i) {
      values[begin + i] = static_cast<float>(shift) + static_cast<float>(scale) * drawn[i];
    }
  }
}

void fill(std::span<float> values, const FlatTensor& tensor, const KeyedSource& source) {
  const Fans fan = fans(tensor.shape);
  const double glorot = std::sqrt(6 / (fan.in + fan.out));
  const Initializer& init = tensor.init;
  switch (init.kind) {
    case Initializer::Kind::constant:
      std::ranges::fill(values, static_cast<float>(init.a));
      return;
    case Initializer::Kind::uniform:
      return draw(values, source, keyed_uniforms, init.b - init.a, init.a);
    case Initializer::Kind::normal:
      return draw(values, source, keyed_normals, init.b, init.a);
    case Initializer::Kind::glorot:
      return draw(values, source, keyed_uniforms, 2 * glorot, -glorot);
    case Initializer::Kind::he:
      return draw(values, source, keyed_normals, std::sqrt(2 / fan.in), 0);
  }
}

}  // namespace

std::optional<std::string> first_non_finite(const FlatLayout& layout, std::span<const float> flat) {
  for (const FlatTensor& tensor : layout.tensors) {
    std::uint32_t largest = 0;  // of the magnitudes' bits, which are ordered as the magnitudes are
    for (const float value : values_of(tensor, flat)) {
      largest = std::max(largest, std::bit_cast<std::uint32_t>(value) << 1U);
    }
    if (largest >= std::bit_cast<std::uint32_t>(HUGE_VALF) << 1U) {
      return tensor.name;
    }
  }
  return std::nullopt;
}

void initialise(const FlatLayout& layout, std::uint64_t seed, std::span<float> flat) {
  for (const FlatTensor& tensor : layout.tensors) {
    fill(values_of(tensor, flat), tensor, KeyedSource({.seed = seed}, "initialise", tensor.name));
  }
}

std::vector<NamedTensor> to_tensors(const FlatLayout& layout, std::span<const float> flat, const std::string& prefix, bool trained_only,
                                    std::span<NamedTensor> memory) {
  std::vector<const FlatTensor*> sorted;
  for (const FlatTensor& tensor : layout.tensors) {
    if (tensor.trained || !trained_only) {
      sorted.push_back(&tensor);
    }
  }
  std::ranges::sort(sorted, {}, &FlatTensor::name);
  std::vector<NamedTensor> tensors(sorted.size());
  std::ranges::move(memory.first(std::min(memory.size(), tensors.size())), tensors.begin());
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto values = values_of(*sorted[i], flat);
    tensors[i].name = prefix + sorted[i]->name;
    tensors[i].shape = sorted[i]->shape;
    tensors[i].values.assign(values.begin(), values.end());
  }
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

std::vector<const NamedTensor*> in_name_order(std::span<const NamedTensor> tensors) {
  std::vector<const NamedTensor*> sorted;
  for (const NamedTensor& tensor : tensors) {
    sorted.push_back(&tensor);
  }
  std::ranges::sort(sorted, {}, &NamedTensor::name);
  return sorted;
}

std::string parameter_hash(std::span<const NamedTensor> tensors) {
  Sha256 hash;
  for (const NamedTensor* tensor : in_name_order(tensors)) {
    hash.update(std::as_bytes(std::span(tensor->values)));
  }
  return hash.finish_hex();
}

}  // namespace lockstep
