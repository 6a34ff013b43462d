#include "formats/safetensors.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <limits>

#include "data/sha256.hpp"
#include "lockstep/error.hpp"
#include "train/parameters.hpp"
#include "train/scratch_folder.hpp"

namespace lockstep {
namespace {

std::vector<NamedTensor> two_tensors() { return {{"fc.weight", {2, 2}, {1, -2, 0.5F, 0}}, {"fc.bias", {1}, {3}}}; }

std::string file_with(const std::string& header, const std::string& data, std::uint64_t length) {
  std::string text(8, '\0');
  std::memcpy(text.data(), &length, 8);
  return text + header + data;
}
std::string file_with(const std::string& header, const std::string& data) { return file_with(header, data, header.size()); }

TEST(Safetensors, WritesExactlyTheseBytes) {
  const ScratchFolder folder;
  write_safetensors(folder / "a.safetensors", two_tensors(), {{"format", "pt"}});
  std::string header = R"({"__metadata__":{"format":"pt"},"fc.bias":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                       R"("fc.weight":{"dtype":"F32","shape":[2,2],"data_offsets":[4,20]}})";
  header.resize((header.size() + 7) / 8 * 8, ' ');
  const std::string data("\0\0\x40\x40\0\0\x80\x3f\0\0\0\xc0\0\0\0\x3f\0\0\0\0", 20);
  EXPECT_EQ(text_of(folder / "a.safetensors"), file_with(header, data));
  EXPECT_EQ(listing(folder.path()), "a.safetensors") << "no temporary file stays";
}

TEST(Safetensors, ReadsWhatItWrote) {
  const ScratchFolder folder;
  std::vector<NamedTensor> tensors{
      {"a", {}, {1.5F}}, {"b", {0, 3}, {}}, {"b.c", {2, 1, 3}, {1, 2, 3, 4, 5, std::numeric_limits<float>::denorm_min()}}};
  write_safetensors(folder / "a", tensors, {{"key", "text \"quoted\""}});
  const Safetensors read = read_safetensors(folder / "a");
  EXPECT_EQ(read.tensors, tensors);
  EXPECT_EQ(read.metadata.at("key"), "text \"quoted\"");
  write_safetensors(folder / "none", {});
  EXPECT_TRUE(read_safetensors(folder / "none").tensors.empty());
}

TEST(Safetensors, ReadsOtherFloatsAndLeavesOutWholeNumbers) {
  const ScratchFolder folder;
  const std::string header =
      R"({"b":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},"h":{"dtype":"F16","shape":[5],"data_offsets":[4,14]},)"
      R"("bn.num_batches_tracked":{"dtype":"I64","shape":[],"data_offsets":[14,22]},)"
      R"("d":{"dtype":"F64","shape":[1],"data_offsets":[22,30]}})";
  // 1.5 and -2 | 1, -0.5, 2^-24, 65504, -inf | 7 | 0.1
  const std::string data(
      "\xc0\x3f\x00\xc0"
      "\x00\x3c\x00\xb8\x01\x00\xff\x7b\x00\xfc"
      "\x07\0\0\0\0\0\0\0"
      "\x9a\x99\x99\x99\x99\x99\xb9\x3f",
      30);
  put(folder / "a", file_with(header, data));
  const std::vector<NamedTensor> want{
      {"b", {2}, {1.5F, -2}}, {"d", {1}, {0.1F}}, {"h", {5}, {1, -0.5F, 0x1p-24F, 65504, -std::numeric_limits<float>::infinity()}}};
  EXPECT_EQ(read_safetensors(folder / "a").tensors, want);
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

TEST(Safetensors, RefusesForgedFiles) {
  const ScratchFolder folder;
  const std::string four(4, 'x');
  const auto tensor = [](const std::string& shape, const std::string& offsets, const std::string& dtype = "\"F32\"") {
    return R"({"t":{"dtype":)" + dtype + R"(,"shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const std::pair<std::string, std::string> cases[] = {
      {"", "only 0 bytes"},
      {"1234567", "only 7 bytes"},
      {file_with("{}", "", 3), "header"},
      {file_with("{}", "", ~std::uint64_t{0}), "header"},
      {file_with("", ""), "not a JSON object"},
      {file_with("[]", ""), "not a JSON object"},
      {file_with(" {}", ""), "not a JSON object"},
      {file_with("{\"t\":", ""), "this is no JSON"},
      {file_with("{\"t\":1}", ""), "no list 'shape'"},
      {file_with(R"({"t":{"dtype":"F32","shape":[1]}})", four), "no list 'data_offsets'"},
      {file_with(R"({"t":{"shape":[1],"data_offsets":[0,4]}})", four), "has the dtype null"},
      {file_with(tensor("[2]", "[0,4]", "\"F8\""), four), "has the dtype \"F8\""},
      {file_with(tensor("[1]", "[0,4]", "7"), four), "has the dtype 7"},
      {file_with(tensor("[1]", "[0,4]", "\"F16\""), four), "takes 2 bytes"},
      {file_with(tensor("[-1]", "[0,4]"), four), "has -1 in its 'shape'"},
      {file_with(tensor("[1.0]", "[0,4]"), four), "in its 'shape'"},
      {file_with(tensor("[\"1\"]", "[0,4]"), four), "in its 'shape'"},
      {file_with(tensor("[1]", "[0,4,8]"), four), "do not lie in"},
      {file_with(tensor("[1]", "[4,0]"), four), "do not lie in"},
      {file_with(tensor("[1]", "[0,8]"), four), "do not lie in"},
      {file_with(tensor("[1]", "[0,18446744073709551615]"), four), "in its 'data_offsets'"},
      {file_with(tensor("[2]", "[0,4]"), four), "takes 8 bytes"},
      {file_with(tensor("[4611686018427387905,1]", "[0,4]"), four), "too large"},
      {file_with(tensor("[4294967296,4294967296]", "[0,4]"), four), "too large"},
      {file_with(tensor("[1]", "[1,5]"), four + "x"), "gap or overlap at byte 0"},
      {file_with(tensor("[1]", "[0,4]"), four + four), "holds 8 bytes"},
      {file_with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", four),
       "gap or overlap"},
      {file_with(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                 four + four),
       "the key \"a\" comes twice"},
      {file_with(R"({"__metadata__":[]})", ""), "metadata"},
      {file_with(R"({"__metadata__":{"a":1}})", ""), "metadata"},
  };
  for (const auto& [text, why] : cases) {
    put(folder / "forged", text);
    const std::string what = what_throws<CheckpointError>([&] { static_cast<void>(read_safetensors(folder / "forged")); });
    EXPECT_NE(what.find(why), std::string::npos) << what << "\n  for " << text;
    EXPECT_NE(what.find("forged"), std::string::npos) << what;
  }
  EXPECT_THROW(static_cast<void>(read_safetensors(folder / "absent")), CheckpointError);
  EXPECT_THROW(static_cast<void>(read_safetensors(folder.path())), CheckpointError);
}

}  // namespace
}  // namespace lockstep
