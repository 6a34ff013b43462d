#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace lockstep {

/// A message of Protocol Buffers, written field by field (protobuf.dev/programming-guides/encoding): a field's number and kind, then its
/// value; a repeated field is written once for each element.
class ProtoMessage {
 public:
  ProtoMessage& integer(int field, std::int64_t value) {
    varint(static_cast<std::uint64_t>(field) << 3);
    varint(static_cast<std::uint64_t>(value));
    return *this;
  }
  ProtoMessage& real(int field, float value) { return number(field, 5, value); }
  ProtoMessage& wide(int field, double value) { return number(field, 1, value); }
  ProtoMessage& text(int field, std::string_view value) {
    varint(static_cast<std::uint64_t>(field) << 3 | 2);
    varint(value.size());
    bytes_ += value;
    return *this;
  }
  ProtoMessage& message(int field, const ProtoMessage& value) { return text(field, value.bytes_); }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  template <class T>
  ProtoMessage& number(int field, std::uint64_t kind, T value) {
    varint(static_cast<std::uint64_t>(field) << 3 | kind);
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    bytes_.append(bytes, sizeof value);
    return *this;
  }
  void varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
      bytes_ += static_cast<char>(value | 0x80);
    }
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

}  // namespace lockstep
