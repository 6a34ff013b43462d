#include "data/field_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace lockstep {
namespace {

struct Way {
  std::string_view name;
  bool FieldSource::*flag;
};
constexpr std::array kWays{Way{"nhwc", &FieldSource::channels_last}, Way{"one-hot", &FieldSource::one_hot},
                           Way{"index", &FieldSource::index}, Way{"real", &FieldSource::real}, Way{"raw", &FieldSource::raw}};
constexpr std::array<std::string_view, 3> kDefaultNames{"features", "labels", "weight"};

std::string_view default_name(Role role) { return kDefaultNames.at(static_cast<std::size_t>(role)); }

[[noreturn]] void refuse(const std::string& where, const FieldSource& source, const std::string& why) {
  throw DataError(fmt::format("{}: {}: {}", where, source.path, why));
}

DType dtype_of(const FieldSource& source, const ElementType& type) {
  const bool byte = type.kind == ElementType::Kind::boolean || (type.kind == ElementType::Kind::natural && type.bytes == 1);
  if (source.one_hot || source.index || (source.role == Role::target && type.is_whole() && !source.real)) {
    return DType::i32;
  }
  return source.role == Role::input && byte && !source.real ? DType::u8 : DType::f32;
}

template <std::size_t bytes>
void move_channels(const std::byte* in, std::byte* out, std::int64_t pixels, std::int64_t channels) {
  for (std::int64_t c = 0; c < channels; ++c) {
    for (std::int64_t p = 0; p < pixels; ++p, out += bytes) {
      std::memcpy(out, in + static_cast<std::size_t>(p * channels + c) * bytes, bytes);
    }
  }
}

/// The place of the single 1 among zeros; −1 if there is no such thing.
std::int32_t place_of_one(std::span<const float> row) {
  std::int32_t place = -1;
  for (std::size_t i = 0; i < row.size(); ++i) {
    if (row[i] == 1.0F && place < 0) {
      place = static_cast<std::int32_t>(i);
    } else if (row[i] != 0.0F) {
      return -1;
    }
  }
  return place;
}

}  // namespace

FieldSource FieldSource::parse(std::string_view text, Role role) {
  FieldSource source;
  source.role = role;
  std::string_view rest = text;
  if (const std::size_t equals = rest.find('='); equals != std::string_view::npos) {
    source.name = rest.substr(0, equals);
    rest.remove_prefix(equals + 1);
  } else {
    source.name = default_name(role);
  }
  for (std::size_t colon = rest.rfind(':'); colon != std::string_view::npos; colon = rest.rfind(':')) {
    const auto way = std::ranges::find(kWays, rest.substr(colon + 1), &Way::name);
    if (way == kWays.end()) {
      throw UsageError(fmt::format("'{}': there is no way '{}' to take a field; there are nhwc, one-hot, index, real and raw", text,
                                   rest.substr(colon + 1)));
    }
    source.*(way->flag) = true;
    rest = rest.substr(0, colon);
  }
  source.path = rest;
  const int types = int{source.one_hot} + int{source.index} + int{source.real};
  if (source.name.empty() || source.path.empty() || types > 1) {
    throw UsageError(fmt::format("'{}' says no field: give [NAME=]PATH and at most one of :one-hot, :index and :real after it, such as {}",
                                 text, "features=/images:nhwc"));
  }
  return source;
}

std::string FieldSource::text() const {
  std::string text = fmt::format("{}={}", name, path);
  for (const Way& way : kWays) {
    text += this->*(way.flag) ? fmt::format(":{}", way.name) : "";
  }
  return text;
}

FieldReading FieldReading::of(const FieldSource& source, const ElementType& type, const std::vector<std::int64_t>& dims,
                              const std::string& where) {
  FieldReading reading{source, {source.name, {}, dtype_of(source, type)}, Shape(std::vector(dims.begin() + 1, dims.end())), {}, false};
  std::vector<std::int64_t> sample = reading.stored.dims();
  if (source.channels_last) {
    if (sample.size() != 3) {
      refuse(where, source, fmt::format("rows are {}, but :nhwc is for rows [height, width, channels].", reading.stored.str()));
    }
    sample = {sample[2], sample[0], sample[1]};
  }
  if (source.one_hot) {
    if (sample.size() != 1) {
      refuse(where, source, fmt::format("rows are {}, but :one-hot is for rows [classes].", reading.stored.str()));
    }
    sample.clear();
  } else if (source.role != Role::input && sample.size() == 1 && sample[0] == 1) {
    sample.clear();
  }
  if (source.role == Role::weight && !sample.empty()) {
    refuse(where, source, fmt::format("rows are {}, but the weight of a sample is one number.", reading.stored.str()));
  }
  if (reading.stored.elements() == 0) {
    refuse(where, source, fmt::format("rows are {}, which hold nothing.", reading.stored.str()));
  }
  reading.field.sample = Shape(std::move(sample));
  reading.read_as = source.one_hot ? DType::f32 : reading.field.dtype;
  reading.normalised = !source.raw && reading.field.dtype != DType::i32;
  return reading;
}

std::vector<std::byte> FieldReading::convert(std::vector<std::byte> rows, std::int64_t first, const std::string& where) const {
  if (!source.channels_last && !source.one_hot) {
    return rows;
  }
  const std::size_t count = rows.size() / stored_bytes();
  std::vector<std::byte> converted(count * field.row_bytes());
  for (std::size_t i = 0; i < count; ++i) {
    const std::byte* const in = rows.data() + i * stored_bytes();
    std::byte* const out = converted.data() + i * field.row_bytes();
    if (source.channels_last) {
      const auto move = size_of(read_as) == 1 ? move_channels<1> : move_channels<4>;
      move(in, out, stored[0] * stored[1], stored[2]);
      continue;
    }
    std::vector<float> row(static_cast<std::size_t>(stored.elements()));
    std::memcpy(row.data(), in, stored_bytes());
    const std::int32_t place = place_of_one(row);
    if (place < 0) {
      throw DataError(fmt::format("{}: row {} of {} is not one 1 among zeros.\n  Leave out :one-hot for what is no class.", where,
                                  first + static_cast<std::int64_t>(i), source.path));
    }
    std::memcpy(out, &place, sizeof place);
  }
  return converted;
}

}  // namespace lockstep
