// HDF5 files that claim what they do not hold, or ask for more than to be read.
#include <fstream>

#include "data/dataset.hpp"
#include "data/raw_hdf5.hpp"
#include "data/sample_data.hpp"

namespace lockstep {
namespace {

using testing::expect_contains;
using testing::message_of;
using testing::RawFile;
using testing::TemporaryFolder;

std::string trouble_of(const std::filesystem::path& file, const char* path) { return Hdf5File::open(file).storage(path).trouble; }

/// Creates a dataset f32 and writes nothing to it.
void claim(const RawFile& file, const char* path, const std::vector<hsize_t>& dims) {
  const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
  const hid_t set = H5Dcreate2(file.id(), path, H5T_IEEE_F32LE, space, H5P_DEFAULT, file.creation(), H5P_DEFAULT);
  EXPECT_GE(set, 0) << path;
  H5Dclose(set);
  H5Sclose(space);
}

TEST(Hostile, NoFilterIsLoadedThatAFileNames) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "packed.h5";
  {
    RawFile file(path);
    file.chunks({2}, false);
    file.add("/plain", H5T_IEEE_F32LE, {4}, {1, 2, 3, 4});
  }
  ASSERT_EQ(trouble_of(path, "/plain"), "");
  const std::filesystem::path plugin = LOCKSTEP_TEST_PLUGIN;
  ASSERT_TRUE(std::filesystem::exists(plugin / "libhdf5_plugin.so"));
  ASSERT_GE(H5PLprepend(plugin.c_str()), 0);
  {
    RawFile file(path);
    file.chunks({2}, false);
    ASSERT_GE(H5Pset_filter(file.creation(), 32100, H5Z_FLAG_OPTIONAL, 0, nullptr), 0);
    file.add("/x", H5T_IEEE_F32LE, {4}, {1, 2, 3, 4});
  }
  expect_contains(trouble_of(path, "/x"), "is packed with filter 32100, which this HDF5 cannot unpack");
  EXPECT_LE(H5Zfilter_avail(32100), 0);
}

TEST(Hostile, ALengthIsBelievedAsFarAsAFileCanHoldIt) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "claims.h5";
  {
    RawFile file(path);
    file.chunks({16, 4}, false);
    claim(file, "/rows", {hsize_t{1} << 60, 4});
    claim(file, "/row", {16, hsize_t{1} << 40});
    claim(file, "/uncountable", {hsize_t{1} << 60, hsize_t{1} << 30});
    claim(file, "/small", {16, 4});
    file.chunks({1000, 1000}, true);
    file.add("/zeros", H5T_STD_U8LE, {1000, 1000}, std::vector<double>(1000000, 0));
  }
  expect_contains(trouble_of(path, "/rows"), "/rows claims to be [1152921504606846976, 4], 1.84e+19 bytes, but the file has only");
  expect_contains(trouble_of(path, "/row"), "/row claims to be");
  expect_contains(trouble_of(path, "/uncountable"), "/uncountable claims to be");
  EXPECT_EQ(trouble_of(path, "/small"), "");
  EXPECT_EQ(trouble_of(path, "/zeros"), "");
  const Hdf5File file = Hdf5File::open(path);
  expect_contains(message_of<Hdf5Error>([&] { static_cast<void>(file.read<float>("/rows")); }), "/rows claims to be");
  const DataFiles files{{path}, {FieldSource::parse("/rows", Role::input)}};
  expect_contains(message_of<DataError>([&] { static_cast<void>(Dataset::open(files)); }), "/rows claims to be");
}

TEST(Hostile, ValuesInOtherFilesAreNotRead) {
  const TemporaryFolder folder;
  const auto path = folder.path() / "points.h5", other = folder.path() / "other";
  std::ofstream(other) << std::string(64, 'x');
  {
    RawFile file(path);
    ASSERT_GE(H5Pset_external(file.creation(), other.c_str(), 0, 64), 0);
    claim(file, "/x", {16});
  }
  expect_contains(trouble_of(path, "/x"), "the values of /x lie in other files.\n  Bring them in: h5repack");
}

}  // namespace
}  // namespace lockstep
