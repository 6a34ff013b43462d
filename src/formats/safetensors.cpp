#include "formats/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>

#include "graph/json.hpp"
#include "lockstep/error.hpp"
#include "train/parameters.hpp"
#include "train/whole_file.hpp"

namespace lockstep {
namespace {

static_assert(std::endian::native == std::endian::little, "stored tensors are little-endian");

using Json = nlohmann::ordered_json;

constexpr std::string_view kMetadata = "__metadata__";
constexpr std::uint64_t kLongestHeader = 100'000'000;  // the limit of the format's own library

std::string header_of(const std::vector<const NamedTensor*>& sorted, const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) {
    header[kMetadata] = metadata;
  }
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

template <class T>
T load(const std::byte* from) {
  T number;
  std::memcpy(&number, from, sizeof number);
  return number;
}

float from_half(const std::byte* from) {
  const auto bits = load<std::uint16_t>(from);
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  constexpr int kSpecial = 31;
  const float magnitude = exponent == kSpecial ? (fraction == 0 ? HUGE_VALF : std::nanf(""))
                          : exponent == 0      ? std::ldexp(static_cast<float>(fraction), -24)
                                               : std::ldexp(static_cast<float>(fraction + 1024), exponent - 25);
  return (bits >> 15) != 0 ? -magnitude : magnitude;
}

/// How the elements of a tensor are stored; whole numbers are not read.
struct Stored {
  std::string_view dtype;
  std::int64_t bytes;
  float (*read)(const std::byte* from) = nullptr;
};
constexpr std::array kStored{
    Stored{"F32", 4, load<float>},
    Stored{"F64", 8, [](const std::byte* from) { return static_cast<float>(load<double>(from)); }},
    Stored{"F16", 2, from_half},
    Stored{"BF16", 2, [](const std::byte* from) { return std::bit_cast<float>(std::uint32_t{load<std::uint16_t>(from)} << 16); }},
    Stored{"I64", 8},
    Stored{"I32", 4},
    Stored{"I16", 2},
    Stored{"I8", 1},
    Stored{"U8", 1},
    Stored{"BOOL", 1}};

/// Reads one file; every refusal names it.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : path_(path), bytes_(read_whole_file(path)) {}

  Safetensors read() {
    const Json header = parse_header();
    Safetensors result;
    std::vector<Range> ranges;
    for (const auto& [name, entry] : header.items()) {
      if (name == kMetadata) {
        read_metadata(entry, result);
      } else {
        NamedTensor tensor{name, {}, {}};
        bool counts = false;
        ranges.push_back(read_tensor(entry, tensor, counts));
        if (!counts) {
          result.tensors.push_back(std::move(tensor));
        }
      }
    }
    check_ranges(std::move(ranges));
    std::ranges::sort(result.tensors, {}, &NamedTensor::name);
    return result;
  }

 private:
  struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
  };

  [[noreturn]] void refuse(const std::string& why) const {
    throw CheckpointError(fmt::format("{} is not a safetensors file that can be read: {}.", path_.string(), why));
  }

  Json parse_header() {
    std::uint64_t length = 0;
    if (bytes_.size() < sizeof length) {
      refuse(fmt::format("it has only {} bytes", bytes_.size()));
    }
    std::memcpy(&length, bytes_.data(), sizeof length);
    if (length > kLongestHeader || length > bytes_.size() - sizeof length) {
      refuse(fmt::format("its header should be {} bytes long, but the file has {} bytes", length, bytes_.size()));
    }
    data_ = std::span<const std::byte>(bytes_).subspan(sizeof length + length);
    const char* text = reinterpret_cast<const char*>(bytes_.data()) + sizeof length;
    if (length == 0 || text[0] != '{') {
      refuse("its header is not a JSON object");
    }
    try {
      return parse_json({text, length});
    } catch (const UsageError& error) {
      refuse(fmt::format("its header: {}", error.what()));
    }
  }

  void read_metadata(const Json& entry, Safetensors& result) const {
    if (!entry.is_object()) {
      refuse("its metadata are not a JSON object");
    }
    for (const auto& [key, text] : entry.items()) {
      if (!text.is_string()) {
        refuse(fmt::format("its metadata '{}' is not a text", key));
      }
      result.metadata[key] = text.get<std::string>();
    }
  }

  /// A JSON array of whole numbers from 0, each below 2^63.
  std::vector<std::int64_t> whole_numbers(const Json& entry, const char* key, const std::string& tensor) const {
    std::vector<std::int64_t> numbers;
    const auto found = entry.is_object() ? entry.find(key) : entry.end();
    if (found == entry.end() || !found->is_array()) {
      refuse(fmt::format("the tensor '{}' has no list '{}'", tensor, key));
    }
    for (const Json& item : *found) {
      if (!item.is_number_unsigned() || item.get<std::uint64_t>() > INT64_MAX) {
        refuse(fmt::format("the tensor '{}' has {} in its '{}'", tensor, item.dump(), key));
      }
      numbers.push_back(item.get<std::int64_t>());
    }
    return numbers;
  }

  Range read_tensor(const Json& entry, NamedTensor& tensor, bool& counts) const {
    const std::vector<std::int64_t> dims = whole_numbers(entry, "shape", tensor.name);
    const std::vector<std::int64_t> offsets = whole_numbers(entry, "data_offsets", tensor.name);
    const Json dtype = entry.contains("dtype") ? entry["dtype"] : Json();
    const auto* const stored = std::ranges::find_if(kStored, [&](const Stored& one) { return dtype == one.dtype; });
    if (stored == kStored.end()) {
      refuse(fmt::format("the tensor '{}' has the dtype {}, which is not known", tensor.name, dtype.dump()));
    }
    if (offsets.size() != 2 || offsets[0] > offsets[1] || static_cast<std::uint64_t>(offsets[1]) > data_.size()) {
      refuse(fmt::format("the data_offsets of '{}' do not lie in the {} bytes of data", tensor.name, data_.size()));
    }
    std::int64_t bytes = stored->bytes;
    for (const std::int64_t dim : dims) {
      if (__builtin_mul_overflow(bytes, dim, &bytes)) {
        refuse(fmt::format("the shape of '{}' is too large", tensor.name));
      }
    }
    if (bytes != offsets[1] - offsets[0]) {
      refuse(fmt::format("the tensor '{}' {} takes {} bytes, but its data_offsets are {} apart", tensor.name, Shape(dims).str(), bytes,
                         offsets[1] - offsets[0]));
    }
    tensor.shape = Shape(dims);
    counts = stored->read == nullptr;
    for (std::int64_t at = offsets[0]; at < offsets[1] && !counts; at += stored->bytes) {
      tensor.values.push_back(stored->read(data_.data() + at));
    }
    return {static_cast<std::uint64_t>(offsets[0]), static_cast<std::uint64_t>(offsets[1])};
  }

  /// The tensors must cover the data without gap or overlap (which also finds a name that comes twice).
  void check_ranges(std::vector<Range> ranges) const {
    std::ranges::sort(ranges, {}, [](const Range& range) { return std::pair(range.begin, range.end); });
    std::uint64_t covered = 0;
    for (const Range& range : ranges) {
      if (range.begin != covered) {
        refuse(fmt::format("its tensors leave a gap or overlap at byte {} of the data", std::min(covered, range.begin)));
      }
      covered = range.end;
    }
    if (covered != data_.size()) {
      refuse(fmt::format("its tensors take {} bytes, but it holds {} bytes of data", covered, data_.size()));
    }
  }

  std::filesystem::path path_;
  std::vector<std::byte> bytes_;
  std::span<const std::byte> data_;
};

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::vector<const NamedTensor*> sorted = in_name_order(tensors);
  const std::string header = header_of(sorted, metadata);
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

Safetensors read_safetensors(const std::filesystem::path& path) { return Reader(path).read(); }

StartingWeights read_starting_weights(const std::string& file, std::vector<std::string> afresh) {
  return {file, read_safetensors(file).tensors, std::move(afresh)};
}

}  // namespace lockstep
