#include "train/safetensors.hpp"

#include <gtest/gtest.h>

#include <cstring>

#include "data/sha256.hpp"
#include "lockstep/error.hpp"
#include "scratch_folder.hpp"

namespace lockstep {
namespace {

std::vector<NamedTensor> two_tensors() { return {{"fc.weight", {2, 2}, {1, -2, 0.5F, 0}}, {"fc.bias", {1}, {3}}}; }

std::string file_with(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return text + header + data;
}

TEST(Safetensors, WritesExactlyTheseBytes) {
  const ScratchFolder folder;
  write_safetensors(folder / "a.safetensors", two_tensors());
  std::string header = R"({"fc.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                       R"("fc.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[4,20]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::string data("\0\0\x40\x40\0\0\x80\x3f\0\0\0\xc0\0\0\0\x3f\0\0\0\0", 20);
  EXPECT_EQ(text_of(folder / "a.safetensors"), file_with(header, data));
  EXPECT_EQ(listing(folder.path()), "a.safetensors") << "no temporary file stays";
}

TEST(Safetensors, HoldsScalarsEmptyTensorsAndNone) {
  const ScratchFolder folder;
  write_safetensors(folder / "a", std::vector<NamedTensor>{{"a", {}, {1.5F}}, {"b", {0, 3}, {}}});
  std::string header = R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[0,3],"data_offsets":[4,4]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  EXPECT_EQ(text_of(folder / "a"), file_with(header, std::string("\0\0\xc0\x3f", 4)));
  write_safetensors(folder / "none", {});
  EXPECT_EQ(text_of(folder / "none"), file_with("{}      ", ""));
}

TEST(Safetensors, TheOrderGivenDoesNotMatter) {
  const ScratchFolder folder;
  std::vector<NamedTensor> tensors = two_tensors();
  write_safetensors(folder / "a", tensors);
  const std::string hash = parameter_hash(tensors);
  std::swap(tensors[0], tensors[1]);
  write_safetensors(folder / "b", tensors);
  EXPECT_EQ(text_of(folder / "a"), text_of(folder / "b"));
  EXPECT_EQ(parameter_hash(tensors), hash);
}

TEST(Safetensors, ParameterHashIsThatOfTheDataInNameOrder) {
  const std::string data("\0\0\x40\x40\0\0\x80\x3f\0\0\0\xc0\0\0\0\x3f\0\0\0\0", 20);
  EXPECT_EQ(parameter_hash(two_tensors()), sha256_hex(bytes_of(data)));
  std::vector<NamedTensor> other = two_tensors();
  other[0].values[3] = -0.0F;
  EXPECT_NE(parameter_hash(other), parameter_hash(two_tensors()));
}

TEST(Safetensors, RefusesToWriteNonsense) {
  const ScratchFolder folder;
  EXPECT_THROW(write_safetensors(folder / "a", {{{"x", {1}, {1}}, {"x", {1}, {2}}}}), UsageError);
  EXPECT_THROW(write_safetensors(folder / "a", {{{"__metadata__", {1}, {1}}}}), UsageError);
  EXPECT_THROW(write_safetensors(folder / "a", {{{"x", {2}, {1}}}}), UsageError);
  EXPECT_THROW(write_safetensors(folder / "missing/a", two_tensors()), CheckpointError);
  EXPECT_EQ(listing(folder.path()), "");
}

}  // namespace
}  // namespace lockstep
