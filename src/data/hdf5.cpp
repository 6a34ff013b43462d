#include "data/hdf5.hpp"

#include <fmt/format.h>
#include <hdf5.h>

#include <algorithm>
#include <utility>

#include "data/hdf5_handle.hpp"

namespace lockstep {
namespace {

using hdf5::check;
using hdf5::Handle;
using hdf5::Lock;
using hdf5::need;
using hdf5::refuse;

/// The type in memory.
hid_t native(Hdf5Kind kind) {
  switch (kind) {
    case Hdf5Kind::f32:
      return H5T_NATIVE_FLOAT;
    case Hdf5Kind::f64:
      return H5T_NATIVE_DOUBLE;
    case Hdf5Kind::i32:
      return H5T_NATIVE_INT32;
    case Hdf5Kind::i64:
      return H5T_NATIVE_INT64;
    case Hdf5Kind::u8:
      return H5T_NATIVE_UINT8;
    case Hdf5Kind::other:
      break;
  }
  throw UsageError("no memory type for this kind of HDF5 dataset");
}

/// The type on disk: little-endian everywhere, so that the bytes of a file do not depend on the machine.
hid_t stored(Hdf5Kind kind) {
  switch (kind) {
    case Hdf5Kind::f32:
      return H5T_IEEE_F32LE;
    case Hdf5Kind::f64:
      return H5T_IEEE_F64LE;
    case Hdf5Kind::i32:
      return H5T_STD_I32LE;
    case Hdf5Kind::i64:
      return H5T_STD_I64LE;
    default:
      return H5T_STD_U8LE;
  }
}

Hdf5Kind kind_of(hid_t type) {
  const std::size_t bytes = H5Tget_size(type);
  if (H5Tget_class(type) == H5T_FLOAT) {
    return bytes == 4 ? Hdf5Kind::f32 : bytes == 8 ? Hdf5Kind::f64 : Hdf5Kind::other;
  }
  if (H5Tget_class(type) == H5T_INTEGER) {
    if (H5Tget_sign(type) == H5T_SGN_NONE) {
      return bytes == 1 ? Hdf5Kind::u8 : Hdf5Kind::other;
    }
    return bytes == 4 ? Hdf5Kind::i32 : bytes == 8 ? Hdf5Kind::i64 : Hdf5Kind::other;
  }
  return Hdf5Kind::other;
}

Handle access_list(const std::string& file, bool in_memory) {
  Handle list = need(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, file, "cannot prepare access");
  if (in_memory) {
    check(H5Pset_fapl_core(list, 1U << 20, false), file, "cannot prepare a file in memory");
  }
  return list;
}

/// New files on disk have the format of HDF5 1.10, whose metadata carry checksums. Files in memory have the oldest format:
/// H5Fget_file_image clears a flag in newer superblocks without renewing the superblock's checksum, so that nobody could open the image.
void set_format(hid_t list, H5F_libver_t oldest, const std::string& file) {
  check(H5Pset_libver_bounds(list, oldest, H5F_LIBVER_V110), file, "cannot set the file format");
}

#if H5_VERSION_GE(1, 10, 7) && (!H5_VERSION_GE(1, 11, 0) || H5_VERSION_GE(1, 12, 1))
void no_locking(hid_t list, const std::string& file) {
  check(H5Pset_file_locking(list, false, true), file, "cannot turn file locking off");
}
#else
void no_locking(hid_t, const std::string&) {}  // These versions lock only where HDF5_USE_FILE_LOCKING lets them.
#endif

Handle creation_list(const std::string& file, hid_t of_class) {
  Handle list = need(H5Pcreate(of_class), H5Pclose, file, "cannot prepare a property list");
  check(H5Pset_obj_track_times(list, false), file, "cannot turn time stamps off");
  return list;
}

/// Creates the groups on the way to a new object.
Handle with_parents(const std::string& file) {
  Handle list = need(H5Pcreate(H5P_LINK_CREATE), H5Pclose, file, "cannot prepare a property list");
  check(H5Pset_create_intermediate_group(list, 1), file, "cannot prepare a property list");
  return list;
}

/// H5Lexists asks for one level at a time.
bool link_exists(hid_t file, const std::string& path) {
  for (std::size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (part != "/" && !part.empty() && H5Lexists(file, part.c_str(), H5P_DEFAULT) <= 0) {
      return false;
    }
    if (end == std::string::npos) {
      return true;
    }
  }
}

std::vector<hsize_t> dims_of(hid_t space, const std::string& file) {
  const int rank = H5Sget_simple_extent_ndims(space);
  check(rank, file, "cannot read a shape");
  std::vector<hsize_t> dims(static_cast<std::size_t>(rank));
  check(H5Sget_simple_extent_dims(space, dims.data(), nullptr), file, "cannot read a shape");
  return dims;
}

struct OpenDataset {
  Handle id;
  Handle space;
  std::vector<hsize_t> dims;
};

OpenDataset open_dataset(hid_t file_id, const std::string& file, const std::string& path, Hdf5Kind kind) {
  if (!link_exists(file_id, path)) {
    refuse(file, fmt::format("holds no dataset {}.", path));
  }
  Handle id = need(H5Dopen2(file_id, path.c_str(), H5P_DEFAULT), H5Dclose, file, fmt::format("cannot open the dataset {}", path));
  const Handle type = need(H5Dget_type(id), H5Tclose, file, fmt::format("cannot read the type of {}", path));
  if (kind != Hdf5Kind::other && kind_of(type) != kind) {
    refuse(file, fmt::format("{} holds {}, but {} is needed.", path, name_of(kind_of(type)), name_of(kind)));
  }
  Handle space = need(H5Dget_space(id), H5Sclose, file, fmt::format("cannot read the shape of {}", path));
  std::vector<hsize_t> dims = dims_of(space, file);
  return {std::move(id), std::move(space), std::move(dims)};
}

/// Selects rows first … first + rows − 1 in the file and gives the matching shape in memory. Checks the range and the buffer's size.
Handle select_rows(const OpenDataset& set, const std::string& file, const std::string& path, Hdf5Kind kind, std::int64_t first,
                   std::int64_t rows, std::size_t bytes) {
  if (set.dims.empty() || first < 0 || rows < 0 || static_cast<hsize_t>(first + rows) > set.dims[0]) {
    refuse(file, fmt::format("{} has no rows {}..{}.", path, first, first + rows - 1));
  }
  std::vector<hsize_t> start(set.dims.size(), 0);
  std::vector<hsize_t> count = set.dims;
  start[0] = static_cast<hsize_t>(first);
  count[0] = static_cast<hsize_t>(rows);
  std::size_t expected = size_of(kind);
  for (const hsize_t n : count) {
    expected *= n;
  }
  if (bytes != expected) {
    refuse(file, fmt::format("{} rows of {} are {} bytes, but the buffer has {}.", rows, path, expected, bytes));
  }
  check(H5Sselect_hyperslab(set.space, H5S_SELECT_SET, start.data(), nullptr, count.data(), nullptr), file,
        "cannot select rows of " + path);
  return need(H5Screate_simple(static_cast<int>(count.size()), count.data(), nullptr), H5Sclose, file, "cannot select rows of " + path);
}
}  // namespace

std::size_t size_of(Hdf5Kind kind) {
  switch (kind) {
    case Hdf5Kind::f64:
    case Hdf5Kind::i64:
      return 8;
    case Hdf5Kind::f32:
    case Hdf5Kind::i32:
      return 4;
    default:
      return 1;
  }
}

std::string_view name_of(Hdf5Kind kind) {
  constexpr std::string_view names[] = {"f32", "f64", "i32", "i64", "u8", "another type"};
  return names[static_cast<int>(kind)];
}

Hdf5Kind hdf5_kind(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return Hdf5Kind::f32;
    case DType::i32:
      return Hdf5Kind::i32;
    case DType::u8:
      return Hdf5Kind::u8;
    default:
      throw UsageError(fmt::format("{} cannot be stored in a dataset.", name_of(dtype)));
  }
}

Hdf5File::Hdf5File(std::unique_ptr<State> state) : state_(std::move(state)) {}
Hdf5File::Hdf5File(Hdf5File&&) noexcept = default;
Hdf5File& Hdf5File::operator=(Hdf5File&& other) noexcept {
  std::swap(state_, other.state_);
  return *this;
}
Hdf5File::~Hdf5File() {
  if (state_) {
    const Lock lock;
    state_.reset();
  }
}

Hdf5File Hdf5File::open(const std::filesystem::path& path) {
  const std::string name = path.string();
  if (!std::filesystem::exists(path)) {
    refuse(name, "there is no such file.");
  }
  const Lock lock;
  const Handle access = access_list(name, false);
  no_locking(access, name);
  Handle id = need(H5Fopen(name.c_str(), H5F_ACC_RDONLY, access), H5Fclose, name, "cannot be opened as an HDF5 file");
  return Hdf5File(std::unique_ptr<State>(new State{std::move(id), name}));
}

Hdf5File Hdf5File::create(const std::filesystem::path& path) {
  const std::string name = path.string();
  const Lock lock;
  const Handle access = access_list(name, false);
  no_locking(access, name);
  set_format(access, H5F_LIBVER_V110, name);
  const Handle creation = creation_list(name, H5P_FILE_CREATE);
  Handle id = need(H5Fcreate(name.c_str(), H5F_ACC_TRUNC, creation, access), H5Fclose, name, "cannot be created");
  return Hdf5File(std::unique_ptr<State>(new State{std::move(id), name}));
}

Hdf5File Hdf5File::create_in_memory() {
  const Lock lock;
  std::unique_ptr<State> state(new State{Handle(-1, H5Fclose), ""});
  // HDF5 takes two files in memory of the same name for one file; an address is a name that no other open file has.
  state->name = fmt::format("memory {}", static_cast<const void*>(state.get()));
  const Handle access = access_list(state->name, true);
  set_format(access, H5F_LIBVER_EARLIEST, state->name);
  const Handle creation = creation_list(state->name, H5P_FILE_CREATE);
  state->id = need(H5Fcreate(state->name.c_str(), H5F_ACC_TRUNC, creation, access), H5Fclose, state->name, "cannot be created");
  return Hdf5File(std::move(state));
}

Hdf5File Hdf5File::from_image(std::span<const std::byte> bytes, const std::string& name) {
  const Lock lock;
  std::unique_ptr<State> state(new State{Handle(-1, H5Fclose), name});
  const Handle access = access_list(name, true);
  // HDF5 copies the image; its signature only forgot the const.
  check(H5Pset_file_image(access, const_cast<std::byte*>(bytes.data()), bytes.size()), name, "cannot be opened from memory");
  const std::string unique = fmt::format("memory {}", static_cast<const void*>(state.get()));
  state->id = need(H5Fopen(unique.c_str(), H5F_ACC_RDONLY, access), H5Fclose, name, "cannot be opened as an HDF5 file");
  return Hdf5File(std::move(state));
}

void Hdf5File::close() {
  const Lock lock;
  check(H5Fflush(state_->id, H5F_SCOPE_GLOBAL), name(), "cannot be written");
  check(state_->id.close(), name(), "cannot be closed");
}

std::vector<std::byte> Hdf5File::image() {
  const Lock lock;
  check(H5Fflush(state_->id, H5F_SCOPE_GLOBAL), name(), "cannot be written");
  const ssize_t size = H5Fget_file_image(state_->id, nullptr, 0);
  check(size < 0 ? -1 : 0, name(), "has no image");
  std::vector<std::byte> bytes(static_cast<std::size_t>(size));
  check(H5Fget_file_image(state_->id, bytes.data(), bytes.size()) == size ? 0 : -1, name(), "has no image");
  return bytes;
}

const std::string& Hdf5File::name() const { return state_->name; }

bool Hdf5File::exists(const std::string& path) const {
  const Lock lock;
  return link_exists(state_->id, path);
}

bool Hdf5File::is_group(const std::string& path) const {
  const Lock lock;
  if (!link_exists(state_->id, path)) {
    return false;
  }
  const Handle id = need(H5Oopen(state_->id, path.c_str(), H5P_DEFAULT), H5Oclose, name(), fmt::format("cannot open {}", path));
  return H5Iget_type(id) == H5I_GROUP;
}

std::vector<std::string> Hdf5File::children(const std::string& group) const {
  const Lock lock;
  const std::string what = fmt::format("cannot list the group {}", group);
  const Handle id = need(H5Gopen2(state_->id, group.c_str(), H5P_DEFAULT), H5Gclose, name(), what);
  H5G_info_t about{};
  check(H5Gget_info(id, &about), name(), what);
  std::vector<std::string> names;
  for (hsize_t i = 0; i < about.nlinks; ++i) {
    const ssize_t length = H5Lget_name_by_idx(id, ".", H5_INDEX_NAME, H5_ITER_INC, i, nullptr, 0, H5P_DEFAULT);
    check(length < 0 ? -1 : 0, name(), what);
    std::string child(static_cast<std::size_t>(length), '\0');
    H5Lget_name_by_idx(id, ".", H5_INDEX_NAME, H5_ITER_INC, i, child.data(), child.size() + 1, H5P_DEFAULT);
    names.push_back(std::move(child));
  }
  return names;
}

void Hdf5File::create_group(const std::string& path) {
  const Lock lock;
  if (link_exists(state_->id, path)) {
    return;
  }
  const Handle parents = with_parents(name());
  const Handle creation = creation_list(name(), H5P_GROUP_CREATE);
  const Handle id =
      need(H5Gcreate2(state_->id, path.c_str(), parents, creation, H5P_DEFAULT), H5Gclose, name(), "cannot create the group " + path);
}

Hdf5Info Hdf5File::info(const std::string& path) const {
  const Lock lock;
  const OpenDataset set = open_dataset(state_->id, name(), path, Hdf5Kind::other);
  const Handle type = need(H5Dget_type(set.id), H5Tclose, name(), "cannot read the type of " + path);
  const Handle list = need(H5Dget_create_plist(set.id), H5Pclose, name(), "cannot read the layout of " + path);
  Hdf5Info info;
  info.dims.assign(set.dims.begin(), set.dims.end());
  info.kind = kind_of(type);
  info.element_bytes = H5Tget_size(type);
  const H5D_layout_t layout = H5Pget_layout(list);
  info.layout = layout == H5D_CHUNKED ? "chunked" : layout == H5D_CONTIGUOUS ? "contiguous" : layout == H5D_COMPACT ? "compact" : "virtual";
  if (layout == H5D_CHUNKED) {
    std::vector<hsize_t> chunk(set.dims.size());
    check(H5Pget_chunk(list, static_cast<int>(chunk.size()), chunk.data()), name(), "cannot read the chunks of " + path);
    info.chunk_rows = static_cast<std::int64_t>(chunk[0]);
  }
  const int filters = H5Pget_nfilters(list);
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0;
    unsigned config = 0;
    std::size_t values = 0;
    char text[64] = "";
    const H5Z_filter_t filter = H5Pget_filter2(list, static_cast<unsigned>(i), &flags, &values, nullptr, sizeof text, text, &config);
    info.filters.emplace_back(filter == H5Z_FILTER_FLETCHER32 ? "fletcher32" : filter == H5Z_FILTER_DEFLATE ? "deflate" : text);
  }
  return info;
}

std::size_t Hdf5File::elements(const std::string& path) const {
  const Lock lock;
  const OpenDataset set = open_dataset(state_->id, name(), path, Hdf5Kind::other);
  return static_cast<std::size_t>(H5Sget_simple_extent_npoints(set.space));
}

void Hdf5File::create_dataset(const std::string& path, Hdf5Kind kind, const std::vector<std::int64_t>& dims, std::int64_t chunk_rows) {
  const Lock lock;
  const std::string what = fmt::format("cannot create the dataset {}", path);
  const std::vector<hsize_t> lengths(dims.begin(), dims.end());
  const Handle space =
      need(dims.empty() ? H5Screate(H5S_SCALAR) : H5Screate_simple(static_cast<int>(lengths.size()), lengths.data(), nullptr), H5Sclose,
           name(), what);
  const Handle creation = creation_list(name(), H5P_DATASET_CREATE);
  check(H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER), name(), what);
  if (chunk_rows > 0 && !dims.empty() && std::ranges::find(dims, 0) == dims.end()) {
    std::vector<hsize_t> chunk = lengths;
    chunk[0] = std::min(static_cast<hsize_t>(chunk_rows), lengths[0]);
    check(H5Pset_chunk(creation, static_cast<int>(chunk.size()), chunk.data()), name(), what);
    check(H5Pset_fletcher32(creation), name(), what);
  }
  const Handle parents = with_parents(name());
  const Handle id = need(H5Dcreate2(state_->id, path.c_str(), stored(kind), space, parents, creation, H5P_DEFAULT), H5Dclose, name(), what);
}

void Hdf5File::write_rows(const std::string& path, Hdf5Kind kind, std::int64_t first, std::int64_t rows, std::span<const std::byte> bytes) {
  const Lock lock;
  const OpenDataset set = open_dataset(state_->id, name(), path, kind);
  const Handle memory = select_rows(set, name(), path, kind, first, rows, bytes.size());
  check(H5Dwrite(set.id, native(kind), memory, set.space, H5P_DEFAULT, bytes.data()), name(),
        fmt::format("cannot write rows {}..{} of {}", first, first + rows - 1, path));
}

void Hdf5File::read_rows(const std::string& path, Hdf5Kind kind, std::int64_t first, std::int64_t rows, std::span<std::byte> bytes) const {
  const Lock lock;
  const OpenDataset set = open_dataset(state_->id, name(), path, kind);
  const Handle memory = select_rows(set, name(), path, kind, first, rows, bytes.size());
  check(H5Dread(set.id, native(kind), memory, set.space, H5P_DEFAULT, bytes.data()), name(),
        fmt::format("cannot read rows {}..{} of {}", first, first + rows - 1, path));
}

void Hdf5File::write_all(const std::string& path, Hdf5Kind kind, std::span<const std::byte> bytes) {
  const Lock lock;
  const OpenDataset set = open_dataset(state_->id, name(), path, kind);
  const auto count = static_cast<std::size_t>(H5Sget_simple_extent_npoints(set.space));
  if (bytes.size() != count * size_of(kind)) {
    refuse(name(), fmt::format("{} takes {} bytes, but {} were given.", path, count * size_of(kind), bytes.size()));
  }
  if (count > 0) {
    check(H5Dwrite(set.id, native(kind), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), name(), "cannot write " + path);
  }
}

void Hdf5File::read_all(const std::string& path, Hdf5Kind kind, std::span<std::byte> bytes) const {
  const Lock lock;
  const OpenDataset set = open_dataset(state_->id, name(), path, kind);
  const auto count = static_cast<std::size_t>(H5Sget_simple_extent_npoints(set.space));
  if (bytes.size() != count * size_of(kind)) {
    refuse(name(), fmt::format("{} is {} bytes, but {} were expected.", path, count * size_of(kind), bytes.size()));
  }
  if (count > 0) {
    check(H5Dread(set.id, native(kind), H5S_ALL, H5S_ALL, H5P_DEFAULT, bytes.data()), name(), "cannot read " + path);
  }
}

}  // namespace lockstep
