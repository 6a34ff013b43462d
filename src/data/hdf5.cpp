#include "data/hdf5.hpp"

#include <algorithm>
#include <exception>

#include "data/hdf5_call.hpp"

namespace lockstep {

namespace hdf5 {

namespace {

ElementType element_type(hid_t type) {
  using Kind = ElementType::Kind;
  const H5T_class_t kind = H5Tget_class(type);
  ElementType found{Kind::other, H5Tget_size(type), H5Tget_order(type) == H5T_ORDER_BE && H5Tget_size(type) > 1};
  if (kind == H5T_ENUM && H5Tget_nmembers(type) == 2 && found.bytes == 1) {
    found.kind = Kind::boolean;  // as h5py stores bool: an enumeration of FALSE and TRUE
  } else if (kind == H5T_FLOAT && found.bytes <= 8) {
    found.kind = Kind::real;
  } else if (kind == H5T_INTEGER && found.bytes <= 8) {
    found.kind = H5Tget_sign(type) == H5T_SGN_NONE ? Kind::natural : Kind::integer;
  }
  return found;
}

}  // namespace

OpenDataset open_dataset(const Call& call, hid_t file, const std::string& path) {
  const hid_t found = H5Dopen2(file, path.c_str(), H5P_DEFAULT);
  call.check(found, fmt::format("holds no dataset {} that can be opened", path));
  OpenDataset set{{found, H5Dclose}, call.need(H5Dget_type(found), H5Tclose), call.need(H5Dget_space(found), H5Sclose), {}, {}};
  set.stored = element_type(set.type);
  set.dims.resize(static_cast<std::size_t>(std::max(0, H5Sget_simple_extent_ndims(set.space))));
  call.check(H5Sget_simple_extent_dims(set.space, set.dims.data(), nullptr));
  return set;
}

Rows select_rows(const Call& call, hid_t file, const std::string& path, DType dtype, std::int64_t first, std::int64_t rows,
                 std::size_t bytes, bool convert) {
  OpenDataset set = open_dataset(call, file, path);
  if (const auto there = set.stored.dtype(); !convert && there != dtype) {
    call.refuse(fmt::format("{} holds {}, but {} is needed.", path, there ? name_of(*there) : "other elements", name_of(dtype)));
  }
  std::vector<hsize_t> count = set.dims;
  if (rows >= 0) {
    if (count.empty() || first < 0 || static_cast<hsize_t>(first + rows) > count[0]) {
      call.refuse(fmt::format("{} has no rows {}..{}.", path, first, first + rows - 1));
    }
    std::vector<hsize_t> start(count.size(), 0);
    start[0] = static_cast<hsize_t>(first);
    count[0] = static_cast<hsize_t>(rows);
    call.check(H5Sselect_hyperslab(set.space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr));
  }
  Handle memory = call.need(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose);
  const auto elements = static_cast<std::size_t>(H5Sget_simple_extent_npoints(memory));
  if (bytes != elements * size_of(dtype)) {
    call.refuse(fmt::format("these rows of {} are {} bytes, but the buffer has {}.", path, elements * size_of(dtype), bytes));
  }
  return {std::move(set), std::move(memory), elements};
}

std::string rows_of(const std::string& path, std::int64_t first, std::int64_t rows) {
  return rows < 0 ? path : fmt::format("rows {}..{} of {}", first, first + rows - 1, path);
}

}  // namespace hdf5

namespace {

using namespace hdf5;

/// Little-endian everywhere, so that the bytes of a file do not depend on the machine.
hid_t on_disk(DType dtype) { return dtype == DType::f32 ? H5T_IEEE_F32LE : dtype == DType::i32 ? H5T_STD_I32LE : H5T_STD_U8LE; }

#if H5_VERSION_GE(1, 10, 7) && (!H5_VERSION_GE(1, 11, 0) || H5_VERSION_GE(1, 12, 1))
herr_t no_locking(hid_t list) { return H5Pset_file_locking(list, false, true); }
#else
herr_t no_locking(hid_t) { return 0; }  // These versions lock only where HDF5_USE_FILE_LOCKING lets them.
#endif

Handle creation_list(const Call& call, hid_t of_class) {
  Handle list = call.need(H5Pcreate(of_class), H5Pclose);
  call.check(H5Pset_obj_track_times(list, false));
  return list;
}

Handle access_list(const Call& call, bool in_memory) {
  Handle list = call.need(H5Pcreate(H5P_FILE_ACCESS), H5Pclose);
  call.check(in_memory ? H5Pset_fapl_core(list, 1U << 20, false) : no_locking(list));
  return list;
}

// A file in memory has its bytes in a vector: HDF5 asks for more and for none of its own.
void* memory_of_size(void* /*before*/, std::size_t size, H5FD_file_image_op_t /*why*/, void* vector) {
  auto& bytes = *static_cast<std::vector<std::byte>*>(vector);
  try {
    bytes.resize(size);
  } catch (const std::exception&) {
    return nullptr;  // which HDF5 reports
  }
  return bytes.data();
}
herr_t keep_memory(void* /*at*/, H5FD_file_image_op_t /*why*/, void* /*vector*/) { return 0; }
void* same_vector(void* vector) { return vector; }
herr_t keep_vector(void* /*vector*/) { return 0; }

/// New files on disk have the format of HDF5 1.10, whose metadata carry checksums. Files in memory have the oldest one, which all
/// programs read.
hid_t create_file(const Call& call, const std::string& name, std::vector<std::byte>* memory) {
  const Handle access = access_list(call, memory != nullptr);
  call.check(H5Pset_libver_bounds(access, memory != nullptr ? H5F_LIBVER_EARLIEST : H5F_LIBVER_V110, H5F_LIBVER_V110));
  if (memory != nullptr) {
    H5FD_file_image_callbacks_t calls{nullptr, nullptr, memory_of_size, keep_memory, same_vector, keep_vector, memory};
    call.check(H5Pset_file_image_callbacks(access, &calls));
  }
  const hid_t id = H5Fcreate(name.c_str(), H5F_ACC_TRUNC, creation_list(call, H5P_FILE_CREATE), access);
  call.check(id);
  return id;
}

/// HDF5 takes two files in memory of the same name for one file. Called under the lock.
std::string memory_name() {
  static std::uint64_t made = 0;
  return fmt::format("memory {}", ++made);
}

/// Creates the groups on the way to a new object.
Handle with_parents(const Call& call) {
  Handle list = call.need(H5Pcreate(H5P_LINK_CREATE), H5Pclose);
  call.check(H5Pset_create_intermediate_group(list, 1));
  return list;
}

Handle text_type(const Call& call) {
  Handle type = call.need(H5Tcopy(H5T_C_S1), H5Tclose);
  call.check(H5Tset_size(type, H5T_VARIABLE));
  call.check(H5Tset_cset(type, H5T_CSET_UTF8));
  return type;
}

/// `length` < 0 makes a scalar.
void write_attribute(const Call& call, hid_t file, const std::string& name, hid_t type_on_disk, hid_t type_in_memory, std::int64_t length,
                     const void* values) {
  if (H5Aexists(file, name.c_str()) > 0) {
    call.check(H5Adelete(file, name.c_str()));
  }
  const auto n = static_cast<hsize_t>(length);
  const Handle space = call.need(length < 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(1, &n, nullptr), H5Sclose);
  const Handle id = call.need(H5Acreate2(file, name.c_str(), type_on_disk, space, H5P_DEFAULT, H5P_DEFAULT), H5Aclose);
  if (length != 0) {
    call.check(H5Awrite(id, type_in_memory, values));
  }
}

/// All values of an attribute of that class, which `kind` names: "an integer".
template <class T>
std::vector<T> read_attribute(const Call& call, hid_t file, const std::string& name, H5T_class_t wanted, const char* kind,
                              hid_t type_in_memory) {
  if (H5Aexists(file, name.c_str()) <= 0) {
    call.refuse(fmt::format("has no attribute {}.", name));
  }
  const Handle id = call.need(H5Aopen(file, name.c_str(), H5P_DEFAULT), H5Aclose);
  const Handle type = call.need(H5Aget_type(id), H5Tclose);
  if (H5Tget_class(type) != wanted) {
    call.refuse(fmt::format("the attribute {} is not {}.", name, kind));
  }
  const Handle space = call.need(H5Aget_space(id), H5Sclose);
  std::vector<T> values(static_cast<std::size_t>(std::max<hssize_t>(0, H5Sget_simple_extent_npoints(space))));
  if (!values.empty()) {
    call.check(H5Aread(id, type_in_memory, values.data()));
  }
  return values;
}

template <class T>
T only(std::vector<T> values, const std::string& file, const std::string& attribute) {
  if (values.size() != 1) {
    throw Hdf5Error(fmt::format("{}: the attribute {} holds {} values, not one.", file, attribute, values.size()), false);
  }
  return std::move(values[0]);
}

}  // namespace

Hdf5File::~Hdf5File() {
  if (id_ >= 0) {
    const Lock lock;
    H5Fclose(id_);
  }
}

Hdf5File Hdf5File::open(const std::filesystem::path& path) {
  const std::string name = path.string();
  const Call call(name, "cannot be opened as an HDF5 file");
  if (!std::filesystem::exists(path)) {
    call.refuse("there is no such file.");
  }
  if (H5Fis_hdf5(name.c_str()) == 0) {
    call.refuse("cannot be opened as an HDF5 file: it is none.\n  lockstep import makes datasets of CSV, NumPy, PNG and IDX files.");
  }
  const hid_t id = H5Fopen(name.c_str(), H5F_ACC_RDONLY, access_list(call, false));
  call.check(id);
  return {name, id};
}

Hdf5File Hdf5File::create(const std::filesystem::path& path) {
  const std::string name = path.string();
  const Call call(name, "cannot be created");
  return {name, create_file(call, name, nullptr)};
}

Hdf5File Hdf5File::create_in_memory(std::vector<std::byte> memory) {
  static const std::string what = "a file in memory";
  const Call call(what, "cannot be created");
  auto bytes = std::make_unique<std::vector<std::byte>>(std::move(memory));
  bytes->clear();
  Hdf5File file(what, create_file(call, memory_name(), bytes.get()));
  file.memory_ = std::move(bytes);
  return file;
}

Hdf5File Hdf5File::from_image(std::span<const std::byte> bytes, const std::string& name) {
  const Call call(name, "cannot be opened as an HDF5 file");
  const Handle access = access_list(call, true);
  // HDF5 copies the image; its signature only forgot the const.
  call.check(H5Pset_file_image(access, const_cast<std::byte*>(bytes.data()), bytes.size()));
  const hid_t id = H5Fopen(memory_name().c_str(), H5F_ACC_RDONLY, access);
  call.check(id);
  return {name, id};
}

void Hdf5File::close() {
  const Call call(name_, "cannot be written");
  call.check(H5Fflush(id_, H5F_SCOPE_GLOBAL));
  call.check(H5Fclose(std::exchange(id_, -1)));
}

std::vector<std::byte> Hdf5File::image() {
  const Call call(name_, "has no image");
  call.check(H5Fflush(id_, H5F_SCOPE_GLOBAL));
  const ssize_t size = H5Fget_file_image(id_, nullptr, 0);
  call.check(size);
  call.check(H5Fclose(std::exchange(id_, -1)));
  memory_->resize(static_cast<std::size_t>(size));
  return std::move(*memory_);
}

void Hdf5File::create_group(const std::string& path) {
  const Call call(name_, "cannot create the group " + path);
  call.need(H5Gcreate2(id_, path.c_str(), with_parents(call), creation_list(call, H5P_GROUP_CREATE), H5P_DEFAULT), H5Gclose);
}

void Hdf5File::create_dataset(const std::string& path, DType dtype, const std::vector<std::int64_t>& dims, std::int64_t chunk_rows) {
  if (dtype == DType::bf16) {
    throw UsageError("bf16 cannot be stored in a dataset.");
  }
  const Call call(name_, "cannot create the dataset " + path);
  std::vector<hsize_t> lengths(dims.begin(), dims.end());
  const Handle space = call.need(H5Screate_simple(static_cast<int>(lengths.size()), lengths.data(), nullptr), H5Sclose);
  const Handle creation = creation_list(call, H5P_DATASET_CREATE);
  call.check(H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER));
  if (chunk_rows > 0 && !dims.empty() && std::ranges::find(dims, 0) == dims.end()) {
    lengths[0] = std::min(static_cast<hsize_t>(chunk_rows), lengths[0]);
    call.check(H5Pset_chunk(creation, static_cast<int>(lengths.size()), lengths.data()));
    call.check(H5Pset_fletcher32(creation));
  }
  call.need(H5Dcreate2(id_, path.c_str(), on_disk(dtype), space, with_parents(call), creation, H5P_DEFAULT), H5Dclose);
}

void Hdf5File::write_rows(const std::string& path, DType dtype, std::int64_t first, std::int64_t rows, std::span<const std::byte> bytes) {
  const Call call(name_, "cannot write " + rows_of(path, first, rows));
  const Rows part = select_rows(call, id_, path, dtype, first, rows, bytes.size());
  if (part.elements > 0) {
    call.check(H5Dwrite(part.set.id, in_memory(dtype), part.memory, part.set.space, H5P_DEFAULT, bytes.data()));
  }
}

void Hdf5File::read_rows(const std::string& path, DType dtype, std::int64_t first, std::int64_t rows, std::span<std::byte> bytes) const {
  const Call call(name_, "cannot read " + rows_of(path, first, rows));
  const Rows part = select_rows(call, id_, path, dtype, first, rows, bytes.size());
  if (part.elements > 0) {
    call.check(H5Dread(part.set.id, in_memory(dtype), part.memory, part.set.space, H5P_DEFAULT, bytes.data()));
  }
}

void Hdf5File::set_attribute(const std::string& name, std::string_view text) {
  const Call call(name_, "cannot write the attribute " + name);
  const std::string owned(text);
  const char* const pointer = owned.c_str();
  const Handle type = text_type(call);
  write_attribute(call, id_, name, type, type, -1, &pointer);
}

void Hdf5File::set_attribute(const std::string& name, std::int64_t number) {
  const Call call(name_, "cannot write the attribute " + name);
  write_attribute(call, id_, name, H5T_STD_I64LE, H5T_NATIVE_INT64, -1, &number);
}

void Hdf5File::set_attribute(const std::string& name, const std::vector<std::string>& texts) {
  const Call call(name_, "cannot write the attribute " + name);
  std::vector<const char*> pointers(texts.size());
  std::ranges::transform(texts, pointers.begin(), [](const std::string& text) { return text.c_str(); });
  const Handle type = text_type(call);
  write_attribute(call, id_, name, type, type, std::ssize(pointers), pointers.data());
}

void Hdf5File::set_attribute(const std::string& name, const std::vector<double>& numbers) {
  const Call call(name_, "cannot write the attribute " + name);
  write_attribute(call, id_, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, std::ssize(numbers), numbers.data());
}

bool Hdf5File::has_attribute(const std::string& name) const {
  const Call call(name_, "cannot look for the attribute " + name);
  const htri_t there = H5Aexists(id_, name.c_str());
  call.check(there);
  return there > 0;
}

std::string Hdf5File::text_attribute(const std::string& name) const { return only(texts_attribute(name), name_, name); }

std::int64_t Hdf5File::integer_attribute(const std::string& name) const {
  const Call call(name_, "cannot read the attribute " + name);
  return only(read_attribute<std::int64_t>(call, id_, name, H5T_INTEGER, "an integer", H5T_NATIVE_INT64), name_, name);
}

std::vector<double> Hdf5File::reals_attribute(const std::string& name) const {
  const Call call(name_, "cannot read the attribute " + name);
  return read_attribute<double>(call, id_, name, H5T_FLOAT, "a floating-point number", H5T_NATIVE_DOUBLE);
}

std::vector<std::string> Hdf5File::texts_attribute(const std::string& name) const {
  const Call call(name_, "cannot read the attribute " + name);
  std::vector<std::string> texts;
  for (char* const text : read_attribute<char*>(call, id_, name, H5T_STRING, "a text", text_type(call))) {
    texts.emplace_back(text == nullptr ? "" : text);
    H5free_memory(text);
  }
  return texts;
}

}  // namespace lockstep
