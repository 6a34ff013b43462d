#pragma once

#include <hdf5.h>

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "fuzz/target.hpp"

/// HDF5 files as another program might have made them: a sound description, changed as an input says, written by HDF5 itself. HDF5's own
/// bytes stay whole, since what reads those is HDF5.
namespace lockstep::fuzz {

struct SetDescription {
  std::string path;
  hid_t type;
  std::vector<hsize_t> dims;
  std::vector<double> values;  ///< those after the last are 0
  hsize_t chunk_rows = 0;      ///< 0: contiguous
  bool text = false;           ///< an input replaces its bytes by texts
};

using AttributeValue = std::variant<std::int64_t, std::string, std::vector<std::string>, std::vector<double>>;

struct FileDescription {
  std::vector<SetDescription> sets;
  std::map<std::string, AttributeValue> attributes;
};

/// A dataset of bytes that hold a text.
[[nodiscard]] SetDescription text_set(const std::string& path, const std::string& text);

/// The bytes of the file. Each dataset and attribute is changed by what `input` says until its next zero byte. What HDF5 refuses to make
/// is left out.
[[nodiscard]] Bytes hdf5_file(const FileDescription& description, Input& input);

}  // namespace lockstep::fuzz
