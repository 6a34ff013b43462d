#include "formats/tensorboard.hpp"

#include <fmt/format.h>

#include <array>
#include <chrono>
#include <cmath>
#include <cstring>
#include <system_error>

#include "formats/protobuf.hpp"
#include "lockstep/error.hpp"
#include "train/whole_file.hpp"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kName = "events.out.tfevents.";

constexpr std::array<std::uint32_t, 256> kCrc = [] {
  constexpr std::uint32_t kCastagnoli = 0x82F63B78;  // its bits reversed
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < table.size(); ++byte) {
    std::uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) {
      crc = crc % 2 == 1 ? crc >> 1 ^ kCastagnoli : crc >> 1;
    }
    table[byte] = crc;
  }
  return table;
}();

template <class T>
std::string bytes_of(T value) {
  std::string bytes(sizeof value, '\0');
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

/// The checksum of a TFRecord: a CRC of bytes that hold CRCs is a poor one, so they are rotated and moved.
std::string masked_crc(std::string_view bytes) {
  const std::uint32_t crc = crc32c(bytes);
  return bytes_of((crc >> 15 | crc << 17) + 0xA282EAD8U);
}

void frame(std::string& out, const ProtoMessage& event) {
  const std::string length = bytes_of(static_cast<std::uint64_t>(event.bytes().size()));
  out += length + masked_crc(length) + event.bytes() + masked_crc(event.bytes());
}

// Numbers of fields.
enum Event { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5 };
enum Summary { kValue = 1 };
enum Value { kTag = 1, kSimpleValue = 2 };

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
  std::uint32_t crc = ~0U;
  for (const char byte : bytes) {
    crc = kCrc[(crc ^ static_cast<unsigned char>(byte)) & 0xFFU] ^ crc >> 8;
  }
  return ~crc;
}

EventFile::EventFile(const fs::path& folder) {
  const double time = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  try {
    fs::create_directories(folder);
    for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
      if (entry.path().filename().string().starts_with(kName)) {
        fs::remove(entry.path());
      }
    }
  } catch (const fs::filesystem_error& error) {
    throw CheckpointError(fmt::format("{} cannot be written: {}.", folder.string(), error.code().message()));
  }
  file_ = folder / fmt::format("{}{:010}.lockstep", kName, static_cast<std::int64_t>(time));
  frame(frames_, ProtoMessage().wide(kWallTime, time).text(kFileVersion, "brain.Event:2"));
  flush();
}

void EventFile::add(std::uint64_t step, double time, std::string_view tag, double value) {
  if (std::isfinite(value)) {
    const ProtoMessage scalar = ProtoMessage().text(kTag, tag).real(kSimpleValue, static_cast<float>(value));
    frame(frames_, ProtoMessage()
                       .wide(kWallTime, time)
                       .integer(kStep, static_cast<std::int64_t>(step))
                       .message(kSummary, ProtoMessage().message(kValue, scalar)));
  }
}

void EventFile::flush() {
  if (!frames_.empty()) {
    append_to_file(file_, frames_);
    frames_.clear();
  }
}

}  // namespace lockstep
