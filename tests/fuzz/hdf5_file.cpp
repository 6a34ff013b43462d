#include "fuzz/hdf5_file.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace lockstep::fuzz {
namespace {

constexpr hsize_t kMostWritten = 1 << 14;
constexpr int kMostChanges = 8;

/// An identifier that closes itself, or none.
class Id {
 public:
  Id(hid_t id, herr_t (*close)(hid_t)) : id_(id), close_(close) {}
  Id(const Id&) = delete;
  Id& operator=(const Id&) = delete;
  ~Id() {
    if (id_ >= 0) {
      close_(id_);
    }
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// Types of which some are numbers. The caller closes it.
hid_t strange_type(Input& input) {
  const auto sized = [](hid_t type, std::size_t bytes) {
    H5Tset_size(type, bytes);
    return type;
  };
  const std::size_t which = input.below(24);
  const std::array plain{H5T_IEEE_F32LE, H5T_IEEE_F64LE, H5T_IEEE_F32BE, H5T_IEEE_F64BE, H5T_STD_I8LE,
                         H5T_STD_I16BE,  H5T_STD_I32LE,  H5T_STD_I64LE,  H5T_STD_I64BE,  H5T_STD_U8LE,
                         H5T_STD_U16LE,  H5T_STD_U32BE,  H5T_STD_U64LE,  H5T_STD_B8LE,   H5T_STD_REF_OBJ};
  if (which < plain.size()) {
    return H5Tcopy(plain.at(which));
  }
  const hsize_t two = 2;
  switch (which - plain.size()) {
    case 0:
      return sized(H5Tcopy(H5T_C_S1), 3);
    case 1:
      return sized(H5Tcopy(H5T_C_S1), H5T_VARIABLE);
    case 2:
      return H5Tvlen_create(H5T_STD_I32LE);
    case 3:
      return H5Tarray_create2(H5T_IEEE_F32LE, 1, &two);
    case 4: {
      const hid_t type = H5Tcreate(H5T_COMPOUND, 8);
      H5Tinsert(type, "a", 0, H5T_IEEE_F32LE);
      return type;
    }
    case 5: {
      const hid_t type = H5Tenum_create(H5T_STD_I8LE);
      for (const auto& [name, value] : {std::pair{"FALSE", std::int8_t{0}}, {"TRUE", std::int8_t{1}}}) {
        H5Tenum_insert(type, name, &value);
      }
      return type;
    }
    case 6: {  // of three bytes, two of which count
      const hid_t type = sized(H5Tcopy(H5T_STD_I32LE), 4);
      H5Tset_precision(type, 12);
      H5Tset_offset(type, 3);
      return sized(type, 3);
    }
    case 7: {  // half a float
      const hid_t type = H5Tcopy(H5T_IEEE_F32LE);
      H5Tset_fields(type, 15, 10, 5, 0, 10);
      H5Tset_size(type, 2);
      H5Tset_ebias(type, 15);
      return type;
    }
    default:
      return H5Tcreate(H5T_OPAQUE, 5);
  }
}

/// A dataset on its way into the file.
class Set {
 public:
  explicit Set(const SetDescription& plan) : plan_(plan), type_(H5Tcopy(plan.type)), creation_(H5Pcreate(H5P_DATASET_CREATE), H5Pclose) {
    if (plan.chunk_rows > 0) {
      chunk_ = plan.dims;
      chunk_[0] = plan.chunk_rows;
      H5Pset_fletcher32(creation_);
    }
  }
  Set(const Set&) = delete;
  Set& operator=(const Set&) = delete;
  ~Set() { H5Tclose(type_); }

  void change(Input& input) {
    for (int changes = 0; changes < kMostChanges; ++changes) {
      const std::uint8_t what = input.byte();
      if (what == 0) {
        return;
      }
      change_one(what % 16, input);
    }
  }

  void write(hid_t file) {
    if (left_out_) {
      return;
    }
    if (!chunk_.empty()) {
      chunk_.resize(plan_.dims.size(), 1);
      H5Pset_chunk(creation_, static_cast<int>(chunk_.size()), chunk_.data());
    }
    std::vector<hsize_t> most(plan_.dims.size(), H5S_UNLIMITED);
    const int rank = static_cast<int>(plan_.dims.size());
    const Id space(rank == 0 ? H5Screate(null_space_ ? H5S_NULL : H5S_SCALAR)
                             : H5Screate_simple(rank, plan_.dims.data(), grows_ ? most.data() : nullptr),
                   H5Sclose);
    if (virtual_ && space >= 0) {
      H5Pset_virtual(creation_, space, part_.c_str(), "/source", space);
    }
    const Id links(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
    H5Pset_create_intermediate_group(links, 1);
    const Id set(H5Dcreate2(file, plan_.path.c_str(), type_, space, links, creation_, H5P_DEFAULT), H5Dclose);
    const auto product = [](const std::vector<hsize_t>& lengths) {
      return std::accumulate(lengths.begin(), lengths.end(), 1.0, [](double a, hsize_t b) { return a * static_cast<double>(b); });
    };
    const double elements = product(plan_.dims);
    const H5T_class_t kind = H5Tget_class(type_);
    if (set < 0 || unwritten_ || virtual_ || std::max(elements, product(chunk_)) > kMostWritten ||
        (kind != H5T_INTEGER && kind != H5T_FLOAT)) {
      return;
    }
    plan_.values.resize(static_cast<std::size_t>(elements), 0.0);
    H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, plan_.values.data());
  }

 private:
  void change_one(unsigned what, Input& input) {
    switch (what) {
      case 0:
      case 1:
        H5Tclose(type_);
        type_ = strange_type(input);
        return;
      case 2:
        if (!plan_.dims.empty()) {
          plan_.dims[input.below(plan_.dims.size())] = input.number();
        }
        return;
      case 3:
        plan_.dims.push_back(input.number());
        return;
      case 4:
        if (!plan_.dims.empty()) {
          plan_.dims.pop_back();
        }
        null_space_ = input.below(2) == 1;
        return;
      case 5:
        chunk_.resize(plan_.dims.size(), 1);
        if (!chunk_.empty()) {
          chunk_[input.below(chunk_.size())] = input.number();
        }
        return;
      case 6:
        add_filter(input);
        return;
      case 7:
        left_out_ = true;
        return;
      case 8:
        unwritten_ = true;
        return;
      case 9:
        change_layout(input);
        return;
      case 10:
        grows_ = true;
        return;
      case 11: {
        const double value = static_cast<double>(input.number());
        H5Pset_fill_value(creation_, H5T_NATIVE_DOUBLE, &value);
        return;
      }
      case 12:
        plan_.path = "/" + input.text();
        return;
      default:
        change_values(input);
    }
  }

  /// Not scale-offset and n-bit: HDF5 itself crashes as it packs some types with them.
  void add_filter(Input& input) {
    switch (input.below(4)) {
      case 0:
        H5Pset_deflate(creation_, 9);
        return;
      case 1:
        H5Pset_shuffle(creation_);
        return;
      case 2:
        H5Pset_fletcher32(creation_);
        return;
      default: {
        const unsigned setting = input.byte();
        H5Pset_filter(creation_, 32000 + static_cast<H5Z_filter_t>(input.below(20)), H5Z_FLAG_OPTIONAL, 1, &setting);
      }
    }
  }

  /// Once: HDF5 itself crashes as it writes a compact dataset with external files.
  void change_layout(Input& input) {
    const std::size_t which = input.below(5);
    if (std::exchange(laid_out_, true)) {
      return;
    }
    chunk_.clear();
    if (which == 0) {
      H5Pset_layout(creation_, H5D_COMPACT);
    } else if (which == 1) {
      H5Pset_layout(creation_, H5D_CONTIGUOUS);
    } else if (which == 2) {
      const std::string other = (scratch() / "other").string();
      H5Pset_external(creation_, input.below(2) == 0 ? "/dev/null" : other.c_str(), 0, H5F_UNLIMITED);
    } else {
      virtual_ = true;
      part_ = which == 3 ? "." : input.text();
    }
  }

  void change_values(Input& input) {
    if (plan_.text) {
      const std::string text = input.text();
      plan_.dims = {text.size()};
      plan_.values.assign(text.begin(), text.end());
      return;
    }
    constexpr std::array kValues{0.0, 1.0, -1.0, 0.5, 1e9, -1e30, 1e300, std::numeric_limits<double>::quiet_NaN(), HUGE_VAL, 2147483648.0};
    for (std::size_t count = input.below(8) + 1; count > 0; --count) {
      const std::size_t at = input.byte();
      if (at < plan_.values.size()) {
        plan_.values[at] = kValues.at(input.below(kValues.size()));
      }
    }
  }

  SetDescription plan_;
  hid_t type_;
  Id creation_;
  std::vector<hsize_t> chunk_;
  std::string part_;
  bool laid_out_ = false, left_out_ = false, unwritten_ = false, grows_ = false, virtual_ = false, null_space_ = false;
};

void write_attribute(hid_t file, const std::string& name, hid_t type_on_disk, hid_t type, hid_t space, const void* values) {
  const Id id(H5Acreate2(file, name.c_str(), type_on_disk, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (id >= 0 && values != nullptr) {
    H5Awrite(id, type, values);
  }
}

struct WriteAttribute {
  hid_t file;
  const std::string& name;

  void operator()(std::int64_t number) const {
    const Id space(H5Screate(H5S_SCALAR), H5Sclose);
    write_attribute(file, name, H5T_STD_I64LE, H5T_NATIVE_INT64, space, &number);
  }
  void operator()(const std::string& text) const { texts({text}, true); }
  void operator()(const std::vector<std::string>& all) const { texts(all, false); }
  void operator()(const std::vector<double>& numbers) const {
    const hsize_t count = numbers.size();
    const Id space(H5Screate_simple(1, &count, nullptr), H5Sclose);
    write_attribute(file, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, space, numbers.empty() ? nullptr : numbers.data());
  }

 private:
  void texts(const std::vector<std::string>& all, bool scalar) const {
    const Id type(H5Tcopy(H5T_C_S1), H5Tclose);
    H5Tset_size(type, H5T_VARIABLE);
    const hsize_t count = all.size();
    const Id space(scalar ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &count, nullptr), H5Sclose);
    std::vector<const char*> pointers;
    for (const std::string& text : all) {
      pointers.push_back(text.c_str());
    }
    write_attribute(file, name, type, type, space, pointers.empty() ? nullptr : pointers.data());
  }
};

/// What an attribute becomes; none: it is left out, or something that is none of ours was written.
void write_changed(hid_t file, const std::string& name, const AttributeValue& value, Input& input) {
  const WriteAttribute write{file, name};
  const Id null(H5Screate(H5S_NULL), H5Sclose);
  const hsize_t many = input.below(4) + 1;
  const Id list(H5Screate_simple(1, &many, nullptr), H5Sclose);
  std::array<char, 64> bytes{};
  switch (input.below(9)) {
    case 0:
      return;
    case 1:
      return write(static_cast<std::int64_t>(input.number()));
    case 2:
      return write(input.text());
    case 3:
      return write(std::vector<std::string>{input.text(), "b", ""});
    case 4:
      return write(std::vector<double>(input.below(5), static_cast<double>(input.number())));
    case 5:
      return write(std::vector<double>{std::numeric_limits<double>::quiet_NaN()});
    case 6: {
      const hid_t type = strange_type(input);
      write_attribute(file, name, type, type, null, nullptr);
      H5Tclose(type);
      return;
    }
    case 7: {
      const hid_t type = strange_type(input);
      const bool plain = H5Tdetect_class(type, H5T_VLEN) <= 0 && H5Tis_variable_str(type) <= 0 && H5Tget_class(type) != H5T_REFERENCE;
      write_attribute(file, name, type, type, list, plain ? bytes.data() : nullptr);
      H5Tclose(type);
      return;
    }
    default:
      std::visit(write, value);
  }
}

}  // namespace

SetDescription text_set(const std::string& path, const std::string& text) {
  return {path, H5T_STD_U8LE, {text.size()}, {text.begin(), text.end()}, 0, true};
}

Bytes hdf5_file(const FileDescription& description, Input& input) {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  const Id access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  H5Pset_fapl_core(access, 1 << 16, 0);
  const Id file(H5Fcreate("fuzzed", H5F_ACC_TRUNC, H5P_DEFAULT, access), H5Fclose);
  for (const SetDescription& set : description.sets) {
    Set writer(set);
    writer.change(input);
    writer.write(file);
  }
  for (const auto& [name, value] : description.attributes) {
    if (input.byte() == 0) {
      std::visit(WriteAttribute{file, name}, value);
    } else {
      write_changed(file, name, value, input);
    }
  }
  H5Fflush(file, H5F_SCOPE_GLOBAL);
  Bytes image(static_cast<std::size_t>(std::max<ssize_t>(0, H5Fget_file_image(file, nullptr, 0))));
  H5Fget_file_image(file, image.data(), image.size());
  return image;
}

}  // namespace lockstep::fuzz
