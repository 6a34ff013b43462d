#include "train/checkpoint.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <iterator>
#include <set>
#include <string_view>

#include "data/hdf5.hpp"
#include "data/sha256.hpp"
#include "graph/json.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

static_assert(std::endian::native == std::endian::little, "the trailer is little-endian");

using Json = nlohmann::ordered_json;

constexpr std::int64_t kFormat = 1;
constexpr std::string_view kMagic = "lockstep-sha256:";
constexpr std::size_t kTrailer = 64;
constexpr std::size_t kTensorHeader = 4096;  ///< more than what HDF5 writes beside the values of a tensor
constexpr const char* kNonFinite = "non-finite";

/// JSON has no NaN and no infinity: such numbers become {"non-finite": "nan"}, "inf" or "-inf".
Json without_non_finite(const Json& json) {
  if (json.is_number_float() && !std::isfinite(json.get<double>())) {
    const double number = json.get<double>();
    return Json::object({{kNonFinite, std::isnan(number) ? "nan" : number > 0 ? "inf" : "-inf"}});
  }
  Json copy = json;
  if (json.is_structured()) {
    std::ranges::transform(json, copy.begin(), without_non_finite);
  }
  return copy;
}

Json with_non_finite(const Json& json) {
  if (json.is_object() && json.size() == 1 && json.contains(kNonFinite)) {
    const std::string text = json.at(kNonFinite).get<std::string>();
    return text == "nan" ? std::nan("") : text == "inf" ? HUGE_VAL : -HUGE_VAL;
  }
  Json copy = json;
  if (json.is_structured()) {
    std::ranges::transform(json, copy.begin(), with_non_finite);
  }
  return copy;
}

void write_text(Hdf5File& file, const std::string& path, std::string_view text) {
  const auto* first = reinterpret_cast<const std::uint8_t*>(text.data());
  file.write<std::uint8_t>(path, {std::ssize(text)}, {first, text.size()});
}

std::string read_text(const Hdf5File& file, const std::string& path) {
  const std::vector<std::uint8_t> bytes = file.read<std::uint8_t>(path);
  return {bytes.begin(), bytes.end()};
}

void write_json(Hdf5File& file, const std::string& path, const Json& json) {
  // A path in the settings may be no valid UTF-8, which JSON cannot hold.
  write_text(file, path, without_non_finite(json).dump(-1, ' ', false, Json::error_handler_t::replace));
}

Json read_json(const Hdf5File& file, const std::string& path) { return with_non_finite(parse_json(read_text(file, path))); }

void write_tensors(Hdf5File& file, const std::string& group, const std::vector<NamedTensor>& tensors) {
  Json names = Json::array();
  std::set<std::string_view> seen;
  for (const NamedTensor& tensor : tensors) {
    if (tensor.name.empty() || !seen.insert(tensor.name).second) {
      throw UsageError(fmt::format("a checkpoint cannot hold two tensors named '{}', nor one without a name", tensor.name));
    }
    if (tensor.shape.elements() != std::ssize(tensor.values)) {
      throw UsageError(fmt::format("the tensor '{}' {} has {} values", tensor.name, tensor.shape.str(), tensor.values.size()));
    }
    names.push_back(tensor.name);
  }
  file.create_group("/" + group);
  write_json(file, "/" + group + "_order", names);
  for (const NamedTensor& tensor : tensors) {
    file.write<float>(fmt::format("/{}/{}", group, tensor.name), tensor.shape.dims(), tensor.values);
  }
}

std::vector<NamedTensor> read_tensors(const Hdf5File& file, const std::string& group) {
  std::vector<NamedTensor> tensors;
  for (const Json& name : read_json(file, "/" + group + "_order")) {
    NamedTensor& tensor = tensors.emplace_back();
    tensor.name = name.get<std::string>();
    const std::string path = fmt::format("/{}/{}", group, tensor.name);
    tensor.shape = Shape(file.storage(path).dims);
    tensor.values = file.read<float>(path);
  }
  return tensors;
}

std::array<std::byte, kTrailer> trailer_of(std::span<const std::byte> image) {
  Sha256 hash;
  hash.update(image);
  const std::array<std::byte, 32> digest = hash.finish();
  const std::uint64_t length = image.size();
  std::array<std::byte, kTrailer> trailer{};
  std::memcpy(trailer.data(), kMagic.data(), kMagic.size());
  std::memcpy(trailer.data() + kMagic.size(), digest.data(), digest.size());
  std::memcpy(trailer.data() + kMagic.size() + digest.size(), &length, sizeof length);
  return trailer;
}

[[noreturn]] void damaged(const std::string& name, std::string_view why) {
  throw CheckpointError(fmt::format("{} is damaged ({})", name, why));
}

/// The HDF5 file inside, once its length and hash are as the trailer says.
std::span<const std::byte> verified(std::span<const std::byte> bytes, const std::string& name) {
  if (bytes.size() <= kTrailer) {
    damaged(name, fmt::format("it has only {} bytes", bytes.size()));
  }
  const std::span<const std::byte> image = bytes.first(bytes.size() - kTrailer);
  const std::span<const std::byte> stored = bytes.last(kTrailer);
  if (std::memcmp(stored.data(), kMagic.data(), kMagic.size()) != 0) {
    damaged(name, "its end is missing or is not that of a checkpoint");
  }
  if (!std::ranges::equal(stored, trailer_of(image))) {
    damaged(name, "its content does not match its SHA-256");
  }
  return image;
}

}  // namespace

std::vector<NamedTensor> model_of(const Checkpoint& checkpoint) {
  const std::string prefix = std::string(kAverage) + "/";
  std::vector<NamedTensor> averages;
  for (const NamedTensor& tensor : checkpoint.optimizer) {
    if (tensor.name.starts_with(prefix)) {
      averages.push_back({tensor.name.substr(prefix.size()), tensor.shape, tensor.values});
    }
  }
  return averages.empty() ? checkpoint.parameters : averages;
}

std::vector<std::byte> serialize(const Checkpoint& checkpoint, std::vector<std::byte> memory) {
  std::size_t size = std::size_t{1} << 20;  // of all but the tensors
  for (const std::vector<NamedTensor>* tensors : {&checkpoint.parameters, &checkpoint.optimizer}) {
    for (const NamedTensor& tensor : *tensors) {
      size += tensor.values.size() * sizeof(float) + kTensorHeader;
    }
  }
  memory.reserve(size);  // HDF5 itself could not tell that there is not so much memory
  Hdf5File file = Hdf5File::create_in_memory(std::move(memory));
  file.set_attribute("lockstep_checkpoint", kFormat);
  file.set_attribute("epoch", static_cast<std::int64_t>(checkpoint.epoch));
  file.set_attribute("step_in_epoch", static_cast<std::int64_t>(checkpoint.step_in_epoch));
  file.set_attribute("step", static_cast<std::int64_t>(checkpoint.step));
  file.set_attribute("fingerprint", checkpoint.fingerprint);
  file.set_attribute("dataset_checksum", checkpoint.dataset_checksum);
  write_text(file, "/model", checkpoint.model);
  write_json(file, "/progress", checkpoint.progress);
  write_json(file, "/settings", checkpoint.settings);
  write_tensors(file, "parameters", checkpoint.parameters);
  write_tensors(file, "optimizer", checkpoint.optimizer);
  std::vector<std::byte> bytes = file.image();
  std::ranges::copy(trailer_of(bytes), std::back_inserter(bytes));
  return bytes;
}

Checkpoint parse(std::span<const std::byte> bytes, const std::string& name) {
  const std::span<const std::byte> image = verified(bytes, name);
  try {
    const Hdf5File file = Hdf5File::from_image(image, name);
    const std::int64_t format = file.integer_attribute("lockstep_checkpoint");
    if (format != kFormat) {
      throw NewerCheckpoint(
          fmt::format("{} was written by a newer version of Lockstep (format {}; this one reads up to {}).\n"
                      "  Go on with that version, or give another --run.",
                      name, format, kFormat));
    }
    Checkpoint checkpoint;
    checkpoint.epoch = static_cast<std::uint64_t>(file.integer_attribute("epoch"));
    checkpoint.step_in_epoch = static_cast<std::uint64_t>(file.integer_attribute("step_in_epoch"));
    checkpoint.step = static_cast<std::uint64_t>(file.integer_attribute("step"));
    checkpoint.fingerprint = file.text_attribute("fingerprint");
    checkpoint.dataset_checksum = file.text_attribute("dataset_checksum");
    checkpoint.model = read_text(file, "/model");
    checkpoint.progress = read_json(file, "/progress");
    checkpoint.settings = read_json(file, "/settings");
    checkpoint.parameters = read_tensors(file, "parameters");
    checkpoint.optimizer = read_tensors(file, "optimizer");
    return checkpoint;
  } catch (const Hdf5Error& error) {
    damaged(name, error.what());
  } catch (const Json::exception& error) {
    damaged(name, error.what());
  } catch (const UsageError& error) {
    damaged(name, error.what());
  }
}

std::optional<std::string> first_difference(std::span<const NamedTensor> stored, const FlatLayout& wanted) {
  for (const FlatTensor& tensor : wanted.tensors) {
    const auto found = std::ranges::find(stored, tensor.name, &NamedTensor::name);
    if (found == stored.end()) {
      return fmt::format("the model has the parameter '{}' {}, but the checkpoint has none of that name", tensor.name, tensor.shape.str());
    }
    if (found->shape != tensor.shape) {
      return fmt::format("the parameter '{}' is {} in the checkpoint, but {} in the model", tensor.name, found->shape.str(),
                         tensor.shape.str());
    }
  }
  for (const NamedTensor& tensor : stored) {
    if (std::ranges::find(wanted.tensors, tensor.name, &FlatTensor::name) == wanted.tensors.end()) {
      return fmt::format("the checkpoint has the parameter '{}' {}, but the model has none of that name", tensor.name, tensor.shape.str());
    }
  }
  return std::nullopt;
}

}  // namespace lockstep
