#pragma once

#include <gtest/gtest.h>
#include <hdf5.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace lockstep::testing {

/// An HDF5 file as another program would write it, by the library's own functions.
class RawFile {
 public:
  explicit RawFile(const std::filesystem::path& path)
      : id_(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT)), creation_(H5Pcreate(H5P_DATASET_CREATE)) {}
  RawFile(const RawFile&) = delete;
  RawFile& operator=(const RawFile&) = delete;
  ~RawFile() {
    H5Pclose(creation_);
    EXPECT_GE(H5Fclose(id_), 0);
  }

  [[nodiscard]] hid_t id() const { return id_; }
  /// The properties of the datasets that are added next.
  [[nodiscard]] hid_t creation() const { return creation_; }
  void plain() {
    H5Pclose(creation_);
    creation_ = H5Pcreate(H5P_DATASET_CREATE);
  }
  void chunks(const std::vector<hsize_t>& rows, bool gzip) {
    plain();
    EXPECT_GE(H5Pset_chunk(creation_, static_cast<int>(rows.size()), rows.data()), 0);
    if (gzip) {
      EXPECT_GE(H5Pset_deflate(creation_, 4), 0);
    }
  }

  /// `type` on disk; `values` are doubles, which HDF5 converts.
  void add(const char* path, hid_t type, const std::vector<hsize_t>& dims, const std::vector<double>& values) {
    const hid_t space = H5Screate_simple(static_cast<int>(dims.size()), dims.data(), nullptr);
    const hid_t set = H5Dcreate2(id_, path, type, space, H5P_DEFAULT, creation_, H5P_DEFAULT);
    EXPECT_GE(set, 0) << path;
    EXPECT_GE(H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0) << path;
    H5Dclose(set);
    H5Sclose(space);
  }
  /// As h5py stores booleans.
  void add_bool(const char* path, const std::vector<std::int8_t>& values) {
    const hid_t type = H5Tenum_create(H5T_STD_I8LE);
    for (const auto& [name, value] : {std::pair{"FALSE", std::int8_t{0}}, {"TRUE", std::int8_t{1}}}) {
      H5Tenum_insert(type, name, &value);
    }
    const hsize_t rows = values.size();
    const hid_t space = H5Screate_simple(1, &rows, nullptr);
    const hid_t set = H5Dcreate2(id_, path, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    EXPECT_GE(H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()), 0);
    H5Dclose(set);
    H5Sclose(space);
    H5Tclose(type);
  }

 private:
  hid_t id_;
  hid_t creation_;
};

/// IEEE 754 numbers of two bytes.
inline hid_t half_type() {
  const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
  H5Tset_fields(type, 15, 10, 5, 0, 10);
  H5Tset_size(type, 2);
  H5Tset_ebias(type, 15);
  return type;
}

}  // namespace lockstep::testing
