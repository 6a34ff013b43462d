// Checkpoints whose hash is right and whose content is not.
#include <gtest/gtest.h>

#include <cstring>

#include "data/hdf5.hpp"
#include "data/sha256.hpp"
#include "train/checkpoint.hpp"

namespace lockstep {
namespace {

/// The trailer that makes any image a whole file.
std::vector<std::byte> sealed(Hdf5File file) {
  std::vector<std::byte> bytes = file.image();
  const std::uint64_t length = bytes.size();
  Sha256 hash;
  hash.update(bytes);
  const auto digest = hash.finish();
  const auto append = [&](std::span<const std::byte> more) { bytes.insert(bytes.end(), more.begin(), more.end()); };
  append(std::as_bytes(std::span(std::string_view("lockstep-sha256:"))));
  append(digest);
  append(std::as_bytes(std::span(&length, 1)));
  bytes.resize(bytes.size() + 8);
  return bytes;
}

Hdf5File begun(std::int64_t format) {
  Hdf5File file = Hdf5File::create_in_memory();
  file.set_attribute("lockstep_checkpoint", format);
  for (const char* const name : {"epoch", "step_in_epoch", "step"}) {
    file.set_attribute(name, std::int64_t{0});
  }
  for (const char* const name : {"fingerprint", "dataset_checksum"}) {
    file.set_attribute(name, "f");
  }
  return file;
}

void write_text(Hdf5File& file, const std::string& path, const std::string& text) {
  file.write<std::uint8_t>(path, {std::ssize(text)}, {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

std::string what_is_wrong(const std::vector<std::byte>& bytes) {
  try {
    static_cast<void>(parse(bytes, "step-000000001.h5"));
  } catch (const CheckpointError& error) {
    return error.what();
  }
  return "nothing";
}

#define EXPECT_WRONG(bytes, part) EXPECT_NE(what_is_wrong(bytes).find(part), std::string::npos) << what_is_wrong(bytes)

TEST(HostileCheckpoint, ANewerVersionIsNamed) {
  EXPECT_WRONG(sealed(begun(2)), "was written by a newer version of Lockstep (format 2; this one reads up to 1)");
}

TEST(HostileCheckpoint, JsonThatIsNestedDeepOrTornIsDamage) {
  for (const auto& [text, part] : {std::pair<std::string, const char*>{std::string(1000000, '['), "nested deeper than 64 levels"},
                                   {"{\"a\": 1, \"a\": 2}", "the key \"a\" comes twice"},
                                   {"{\"a\": ", "is damaged (this is no JSON"}}) {
    Hdf5File file = begun(1);
    write_text(file, "/model", "{}");
    write_text(file, "/progress", text);
    EXPECT_WRONG(sealed(std::move(file)), part);
  }
}

TEST(HostileCheckpoint, AForgedLengthGetsNoMemory) {
  Hdf5File file = begun(1);
  for (const char* const name : {"/model", "/progress", "/settings", "/optimizer_order"}) {
    write_text(file, name, "[]");
  }
  write_text(file, "/parameters_order", "[\"w\"]");
  file.create_dataset("/parameters/w", DType::f32, {std::int64_t{1} << 50, 4}, 16);
  EXPECT_WRONG(sealed(std::move(file)), "/parameters/w claims to be [1125899906842624, 4]");
}

}  // namespace
}  // namespace lockstep
