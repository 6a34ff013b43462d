#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lockstep {

/// Element types. bf16 can be named and stored; no kernel computes with it yet.
enum class DType : std::uint8_t { f32, i32, u8, bf16 };

[[nodiscard]] std::size_t size_of(DType dtype);
[[nodiscard]] std::string_view name_of(DType dtype);
/// Throws UsageError on a name that is no dtype.
[[nodiscard]] DType dtype_from(std::string_view name);

/// Stands for the number of samples in a lane wherever a shape is written in a model.
inline constexpr std::int64_t kBatch = -1;

/// The lengths of a tensor's axes, outermost first; a scalar has none. Storage is row-major.
class Shape {
 public:
  Shape() = default;
  Shape(std::initializer_list<std::int64_t> dims) : dims_(dims) {}
  explicit Shape(std::vector<std::int64_t> dims) : dims_(std::move(dims)) {}

  [[nodiscard]] int rank() const { return static_cast<int>(dims_.size()); }
  /// Axis i; a negative i counts from the last. Throws ShapeError when there is no such axis.
  [[nodiscard]] std::int64_t operator[](int i) const;
  [[nodiscard]] std::int64_t elements() const;
  [[nodiscard]] const std::vector<std::int64_t>& dims() const { return dims_; }
  /// "[64, 1, 28, 28]"
  [[nodiscard]] std::string str() const;
  bool operator==(const Shape&) const = default;

 private:
  std::vector<std::int64_t> dims_;
};

/// Shape and element type of one tensor.
struct TensorType {
  Shape shape;
  DType dtype = DType::f32;

  [[nodiscard]] std::int64_t elements() const { return shape.elements(); }
  [[nodiscard]] std::size_t bytes() const;
  /// "f32 [64, 10]"
  [[nodiscard]] std::string str() const;
  bool operator==(const TensorType&) const = default;
};

/// The settings of one node: numbers, texts and lists of integers by name, in name order.
class Attrs {
 public:
  using Item = std::variant<std::int64_t, double, std::string, std::vector<std::int64_t>>;

  Attrs() = default;
  Attrs(std::initializer_list<std::pair<const std::string, Item>> items) : items_(items) {}

  Attrs& set(const std::string& key, Item item);
  [[nodiscard]] bool has(const std::string& key) const { return items_.contains(key); }
  /// Each throws UsageError naming the key when it is missing or of another kind.
  [[nodiscard]] std::int64_t integer(const std::string& key) const;
  [[nodiscard]] double real(const std::string& key) const;
  [[nodiscard]] const std::string& text(const std::string& key) const;
  [[nodiscard]] const std::vector<std::int64_t>& list(const std::string& key) const;
  [[nodiscard]] std::int64_t integer_or(const std::string& key, std::int64_t otherwise) const;
  [[nodiscard]] std::string text_or(const std::string& key, const std::string& otherwise) const;
  [[nodiscard]] const std::map<std::string, Item>& items() const { return items_; }
  bool operator==(const Attrs&) const = default;

 private:
  std::map<std::string, Item> items_;
};

}  // namespace lockstep
