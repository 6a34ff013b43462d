#include <fmt/format.h>

#include <algorithm>

#include "data/hdf5_handle.hpp"

namespace lockstep {
namespace {

using hdf5::check;
using hdf5::Handle;
using hdf5::Lock;
using hdf5::need;
using hdf5::refuse;

Handle text_type(const std::string& file) {
  Handle type = need(H5Tcopy(H5T_C_S1), H5Tclose, file, "cannot prepare a text type");
  check(H5Tset_size(type, H5T_VARIABLE), file, "cannot prepare a text type");
  check(H5Tset_cset(type, H5T_CSET_UTF8), file, "cannot prepare a text type");
  return type;
}

/// `length` < 0 makes a scalar.
void write_attribute(hid_t file_id, const std::string& file, const std::string& object, const std::string& name, hid_t type_on_disk,
                     hid_t type_in_memory, std::int64_t length, const void* values) {
  const std::string what = fmt::format("cannot write the attribute {} of {}", name, object);
  const Handle id = need(H5Oopen(file_id, object.c_str(), H5P_DEFAULT), H5Oclose, file, what);
  if (H5Aexists(id, name.c_str()) > 0) {
    check(H5Adelete(id, name.c_str()), file, what);
  }
  const auto n = static_cast<hsize_t>(std::max<std::int64_t>(length, 0));
  const Handle space = need(length < 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, nullptr), H5Sclose, file, what);
  const Handle attribute = need(H5Acreate2(id, name.c_str(), type_on_disk, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose, file, what);
  if (length != 0) {
    check(H5Awrite(attribute, type_in_memory, values), file, what);
  }
}

struct OpenAttribute {
  Handle id;
  Handle type;
  std::size_t length;
};

OpenAttribute open_attribute(hid_t file_id, const std::string& file, const std::string& object, const std::string& name,
                             H5T_class_t wanted) {
  const Handle id = need(H5Oopen(file_id, object.c_str(), H5P_DEFAULT), H5Oclose, file, fmt::format("cannot open {}", object));
  if (H5Aexists(id, name.c_str()) <= 0) {
    refuse(file, fmt::format("{} has no attribute {}.", object, name));
  }
  const std::string what = fmt::format("cannot read the attribute {} of {}", name, object);
  Handle attribute = need(H5Aopen(id, name.c_str(), H5P_DEFAULT), H5Aclose, file, what);
  Handle type = need(H5Aget_type(attribute), H5Tclose, file, what);
  if (H5Tget_class(type) != wanted) {
    const char* const kinds[] = {"an integer", "a floating-point number", "a text"};
    const int kind = wanted == H5T_INTEGER ? 0 : wanted == H5T_FLOAT ? 1 : 2;
    refuse(file, fmt::format("the attribute {} of {} is not {}.", name, object, kinds[kind]));
  }
  const Handle space = need(H5Aget_space(attribute), H5Sclose, file, what);
  const hssize_t points = H5Sget_simple_extent_npoints(space);
  check(points < 0 ? -1 : 0, file, what);
  return {std::move(attribute), std::move(type), static_cast<std::size_t>(points)};
}

void one_value(const OpenAttribute& attribute, const std::string& file, const std::string& object, const std::string& name) {
  if (attribute.length != 1) {
    refuse(file, fmt::format("the attribute {} of {} holds {} values, not one.", name, object, attribute.length));
  }
}

std::vector<std::string> read_texts(const OpenAttribute& attribute, const std::string& file, const std::string& what) {
  std::vector<std::string> texts(attribute.length);
  if (texts.empty()) {
    return texts;
  }
  if (H5Tis_variable_str(attribute.type) <= 0) {  // Fixed length: the rest is filled up with zeros.
    const std::size_t width = H5Tget_size(attribute.type);
    std::vector<char> all(width * texts.size());
    check(H5Aread(attribute.id, attribute.type, all.data()), file, what);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      const char* const begin = all.data() + i * width;
      texts[i].assign(begin, std::find(begin, begin + width, '\0'));
    }
    return texts;
  }
  std::vector<char*> pointers(texts.size(), nullptr);
  const Handle memory = need(H5Tcopy(attribute.type), H5Tclose, file, what);
  check(H5Aread(attribute.id, memory, pointers.data()), file, what);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (pointers[i] != nullptr) {
      texts[i] = pointers[i];
      H5free_memory(pointers[i]);
    }
  }
  return texts;
}

}  // namespace

void Hdf5File::set_attribute(const std::string& object, const std::string& attribute, std::string_view text) {
  const Lock lock;
  const std::string owned(text);
  const char* const pointer = owned.c_str();
  const Handle type = text_type(name());
  write_attribute(state_->id, name(), object, attribute, type, type, -1, &pointer);
}

void Hdf5File::set_attribute(const std::string& object, const std::string& attribute, std::int64_t number) {
  const Lock lock;
  write_attribute(state_->id, name(), object, attribute, H5T_STD_I64LE, H5T_NATIVE_INT64, -1, &number);
}

void Hdf5File::set_attribute(const std::string& object, const std::string& attribute, double number) {
  const Lock lock;
  write_attribute(state_->id, name(), object, attribute, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, -1, &number);
}

void Hdf5File::set_attribute(const std::string& object, const std::string& attribute, const std::vector<std::string>& texts) {
  const Lock lock;
  std::vector<const char*> pointers;
  for (const std::string& text : texts) {
    pointers.push_back(text.c_str());
  }
  const Handle type = text_type(name());
  write_attribute(state_->id, name(), object, attribute, type, type, std::ssize(pointers), pointers.data());
}

void Hdf5File::set_attribute(const std::string& object, const std::string& attribute, const std::vector<double>& numbers) {
  const Lock lock;
  write_attribute(state_->id, name(), object, attribute, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, std::ssize(numbers), numbers.data());
}

bool Hdf5File::has_attribute(const std::string& object, const std::string& attribute) const {
  const Lock lock;
  const Handle id = need(H5Oopen(state_->id, object.c_str(), H5P_DEFAULT), H5Oclose, name(), fmt::format("cannot open {}", object));
  return H5Aexists(id, attribute.c_str()) > 0;
}

std::vector<std::string> Hdf5File::texts_attribute(const std::string& object, const std::string& attribute) const {
  const Lock lock;
  const OpenAttribute open = open_attribute(state_->id, name(), object, attribute, H5T_STRING);
  return read_texts(open, name(), fmt::format("cannot read the attribute {} of {}", attribute, object));
}

std::string Hdf5File::text_attribute(const std::string& object, const std::string& attribute) const {
  const Lock lock;
  const OpenAttribute open = open_attribute(state_->id, name(), object, attribute, H5T_STRING);
  one_value(open, name(), object, attribute);
  return read_texts(open, name(), fmt::format("cannot read the attribute {} of {}", attribute, object))[0];
}

std::int64_t Hdf5File::integer_attribute(const std::string& object, const std::string& attribute) const {
  const Lock lock;
  const OpenAttribute open = open_attribute(state_->id, name(), object, attribute, H5T_INTEGER);
  one_value(open, name(), object, attribute);
  std::int64_t value = 0;
  check(H5Aread(open.id, H5T_NATIVE_INT64, &value), name(), fmt::format("cannot read the attribute {} of {}", attribute, object));
  return value;
}

double Hdf5File::real_attribute(const std::string& object, const std::string& attribute) const {
  const std::vector<double> values = reals_attribute(object, attribute);
  if (values.size() != 1) {
    refuse(name(), fmt::format("the attribute {} of {} holds {} values, not one.", attribute, object, values.size()));
  }
  return values[0];
}

std::vector<double> Hdf5File::reals_attribute(const std::string& object, const std::string& attribute) const {
  const Lock lock;
  const OpenAttribute open = open_attribute(state_->id, name(), object, attribute, H5T_FLOAT);
  std::vector<double> values(open.length);
  if (!values.empty()) {
    check(H5Aread(open.id, H5T_NATIVE_DOUBLE, values.data()), name(), fmt::format("cannot read the attribute {} of {}", attribute, object));
  }
  return values;
}

}  // namespace lockstep
