#include "lockstep/tensor.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "lockstep/error.hpp"

namespace lockstep {
namespace {

struct DTypeFacts {
  DType dtype;
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array kDTypes{DTypeFacts{DType::f32, "f32", 4}, DTypeFacts{DType::i32, "i32", 4}, DTypeFacts{DType::u8, "u8", 1},
                             DTypeFacts{DType::bf16, "bf16", 2}};

/// Their bytes can still be counted.
constexpr std::int64_t kMostElements = std::int64_t{1} << 60;

template <class T>
const T& attr(const std::map<std::string, Attrs::Item>& items, const std::string& key, std::string_view kind) {
  const auto it = items.find(key);
  if (it == items.end()) {
    throw UsageError(fmt::format("the attribute '{}' ({}) is missing", key, kind));
  }
  const T* item = std::get_if<T>(&it->second);
  if (item == nullptr) {
    throw UsageError(fmt::format("the attribute '{}' is not {}", key, kind));
  }
  return *item;
}

}  // namespace

std::size_t size_of(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)].bytes; }
std::string_view name_of(DType dtype) { return kDTypes[static_cast<std::size_t>(dtype)].name; }

DType dtype_from(std::string_view name) {
  const auto* found = std::ranges::find(kDTypes, name, &DTypeFacts::name);
  if (found == kDTypes.end()) {
    throw UsageError(fmt::format("'{}' is no element type; there are f32, i32, u8 and bf16", name));
  }
  return found->dtype;
}

std::int64_t Shape::operator[](int i) const {
  const int axis = i < 0 ? i + rank() : i;
  if (axis < 0 || axis >= rank()) {
    throw ShapeError(fmt::format("there is no axis {} in {}", i, str()));
  }
  return dims_[static_cast<std::size_t>(axis)];
}

std::int64_t Shape::elements() const {
  std::int64_t count = 1;
  for (const std::int64_t length : dims_) {
    if (__builtin_mul_overflow(count, length, &count) || count > kMostElements) {
      throw ShapeError(fmt::format("no tensor can be as large as {}", str()));
    }
  }
  return count;
}

std::string Shape::str() const { return fmt::format("[{}]", fmt::join(dims_, ", ")); }

std::size_t TensorType::bytes() const { return static_cast<std::size_t>(elements()) * size_of(dtype); }
std::string TensorType::str() const { return fmt::format("{} {}", name_of(dtype), shape.str()); }

Attrs& Attrs::set(const std::string& key, Item item) {
  items_[key] = std::move(item);
  return *this;
}
std::int64_t Attrs::integer(const std::string& key) const { return attr<std::int64_t>(items_, key, "an integer"); }
double Attrs::real(const std::string& key) const {
  const auto it = items_.find(key);
  if (it != items_.end() && std::holds_alternative<std::int64_t>(it->second)) {
    return static_cast<double>(std::get<std::int64_t>(it->second));
  }
  return attr<double>(items_, key, "a number");
}
const std::string& Attrs::text(const std::string& key) const { return attr<std::string>(items_, key, "a text"); }
const std::vector<std::int64_t>& Attrs::list(const std::string& key) const {
  return attr<std::vector<std::int64_t>>(items_, key, "a list of integers");
}
std::int64_t Attrs::integer_or(const std::string& key, std::int64_t otherwise) const { return has(key) ? integer(key) : otherwise; }
std::string Attrs::text_or(const std::string& key, const std::string& otherwise) const { return has(key) ? text(key) : otherwise; }

}  // namespace lockstep
