#include "train/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "data/sha256.hpp"
#include "lockstep/error.hpp"
#include "train/whole_file.hpp"

namespace lockstep {
namespace {

static_assert(std::endian::native == std::endian::little, "stored tensors are little-endian");

using Json = nlohmann::ordered_json;

constexpr std::string_view kMetadata = "__metadata__";  // a name that the format keeps for itself

std::vector<const NamedTensor*> by_name(std::span<const NamedTensor> tensors) {
  std::vector<const NamedTensor*> sorted;
  for (const NamedTensor& tensor : tensors) {
    sorted.push_back(&tensor);
  }
  std::ranges::sort(sorted, {}, &NamedTensor::name);
  return sorted;
}

std::string header_of(const std::vector<const NamedTensor*>& sorted) {
  Json header = Json::object();
  std::size_t offset = 0;
  for (const NamedTensor* tensor : sorted) {
    if (tensor->name == kMetadata || header.contains(tensor->name)) {
      throw UsageError(fmt::format("a safetensors file cannot hold two tensors named '{}', nor one named {}", tensor->name, kMetadata));
    }
    if (tensor->shape.elements() != std::ssize(tensor->values)) {
      throw UsageError(fmt::format("the tensor '{}' {} has {} values", tensor->name, tensor->shape.str(), tensor->values.size()));
    }
    const std::size_t end = offset + 4 * tensor->values.size();
    header[tensor->name] = {{"dtype", "F32"}, {"shape", tensor->shape.dims()}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors) {
  const std::vector<const NamedTensor*> sorted = by_name(tensors);
  const std::string header = header_of(sorted);
  const std::uint64_t length = header.size();
  std::vector<std::byte> bytes;
  const auto append = [&](std::span<const std::byte> more) { bytes.insert(bytes.end(), more.begin(), more.end()); };
  append(std::as_bytes(std::span(&length, 1)));
  append(std::as_bytes(std::span(header)));
  for (const NamedTensor* tensor : sorted) {
    append(std::as_bytes(std::span(tensor->values)));
  }
  write_whole_file(path, bytes);
}

std::string parameter_hash(std::span<const NamedTensor> tensors) {
  Sha256 hash;
  for (const NamedTensor* tensor : by_name(tensors)) {
    hash.update(std::as_bytes(std::span(tensor->values)));
  }
  return hash.finish_hex();
}

}  // namespace lockstep
