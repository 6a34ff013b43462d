// Writes HDF5 files as no one should make them, for bad_inputs.sh:   bad_files FOLDER
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iostream>
#include <numeric>

#include "data/raw_hdf5.hpp"

namespace lockstep::testing {
namespace {

constexpr hsize_t kRows = 64;

std::vector<double> counted(hsize_t count, hsize_t modulus) {
  std::vector<double> values(count);
  std::iota(values.begin(), values.end(), 0.0);
  for (double& value : values) {
    value = std::fmod(value, static_cast<double>(modulus));
  }
  return values;
}

/// /x [64, 4] and /y [64] of three classes, the last of which is `last`.
void write_rows(const std::filesystem::path& path, double feature, double last) {
  RawFile file(path);
  std::vector<double> x = counted(kRows * 4, 7), y = counted(kRows, 3);
  x[41] = feature;
  y[kRows - 1] = last;
  file.add("/x", H5T_IEEE_F32LE, {kRows, 4}, x);
  file.add("/y", H5T_STD_I64LE, {kRows}, y);
}

/// A dataset of which nothing is written.
void claim(const RawFile& file, const char* path, const std::vector<hsize_t>& dims, const std::vector<hsize_t>& chunk) {
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  EXPECT_GE(H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data()), 0);
  const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
  const hid_t set = H5Dcreate2(file.id(), path, H5T_IEEE_F32LE, space, H5P_DEFAULT, creation, H5P_DEFAULT);
  EXPECT_GE(set, 0) << path;
  H5Dclose(set);
  H5Sclose(space);
  H5Pclose(creation);
}

void write_all(const std::filesystem::path& folder) {
  write_rows(folder / "good.h5", 1, 0);
  write_rows(folder / "nan.h5", NAN, 0);
  write_rows(folder / "infinite.h5", INFINITY, 0);
  write_rows(folder / "negative-label.h5", 1, -1);
  write_rows(folder / "great-label.h5", 1, 2000000000);
  write_rows(folder / "other-label.h5", 1, 17);
  RawFile strange(folder / "strange.h5");
  strange.add("/y", H5T_STD_I64LE, {kRows}, counted(kRows, 3));
  strange.add("/scalar", H5T_IEEE_F32LE, {}, {1});
  strange.add("/wide", H5T_IEEE_F32LE, {kRows, 2, 2, 2, 2}, counted(kRows * 16, 5));
  strange.add("/short", H5T_IEEE_F32LE, {kRows - 1, 4}, counted(kRows * 4, 5));
  strange.add("/halves", H5T_IEEE_F32LE, {kRows}, std::vector<double>(kRows, 0.5));
  claim(strange, "/rows", {hsize_t{1} << 60, 4}, {16, 4});
  claim(strange, "/row", {kRows, hsize_t{1} << 50}, {1, 1024});
  claim(strange, "/both", {hsize_t{1} << 60, hsize_t{1} << 30}, {1, 16});
  const hid_t text = H5Tcopy(H5T_C_S1);
  const hsize_t rows = kRows;
  const hid_t space = H5Screate_simple(1, &rows, nullptr);
  H5Dclose(H5Dcreate2(strange.id(), "/text", text, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  const hsize_t none = 0;
  const hid_t empty = H5Screate_simple(1, &none, nullptr);
  H5Dclose(H5Dcreate2(strange.id(), "/empty", H5T_IEEE_F32LE, empty, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  for (const hid_t id : {space, empty}) {
    H5Sclose(id);
  }
  H5Tclose(text);
}

}  // namespace
}  // namespace lockstep::testing

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "bad_files FOLDER\n";
    return 2;
  }
  lockstep::testing::write_all(argv[1]);
  return ::testing::UnitTest::GetInstance()->failed_test_count();
}
