#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <numeric>

#include "data/hdf5_call.hpp"

namespace lockstep {
namespace {

using namespace hdf5;
using Kind = ElementType::Kind;

/// Ends the conversion at a value that has no equal among whole numbers of the wanted size, and remembers it.
H5T_conv_ret_t refuse_inexact(H5T_conv_except_t, hid_t, hid_t, void*, void*, void* found) {
  *static_cast<bool*>(found) = true;
  return H5T_CONV_ABORT;
}

struct Filter {
  H5Z_filter_t id = 0;
  std::string name;
};

std::vector<Filter> filters_of(const Call& call, hid_t creation) {
  constexpr std::array<std::pair<H5Z_filter_t, const char*>, 9> kNames{{{H5Z_FILTER_DEFLATE, "gzip"},
                                                                        {H5Z_FILTER_SHUFFLE, "shuffle"},
                                                                        {H5Z_FILTER_FLETCHER32, "fletcher32"},
                                                                        {H5Z_FILTER_SZIP, "szip"},
                                                                        {32000, "lzf"},
                                                                        {32001, "blosc"},
                                                                        {32004, "lz4"},
                                                                        {32008, "bitshuffle"},
                                                                        {32015, "zstd"}}};
  std::vector<Filter> filters;
  const int count = H5Pget_nfilters(creation);
  call.check(count);
  for (int i = 0; i < count; ++i) {
    unsigned flags = 0;
    unsigned config = 0;
    std::size_t values = 0;
    const H5Z_filter_t id = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, &config);
    const auto* const known = std::ranges::find(kNames, id, [](const auto& entry) { return entry.first; });
    filters.push_back({id, known == kNames.end() ? fmt::format("filter {}", id) : known->second});
  }
  return filters;
}

using GetName = ssize_t (*)(hid_t creation, std::size_t part, char* name, std::size_t size);
std::string part_name(const Call& call, hid_t creation, std::size_t part, GetName get) {
  const ssize_t length = get(creation, part, nullptr, 0);
  call.check(length);
  std::string name(static_cast<std::size_t>(length) + 1, '\0');
  call.check(get(creation, part, name.data(), name.size()));
  name.resize(static_cast<std::size_t>(length));
  return name;
}

/// HDF5 follows a virtual dataset that is a part of itself until the memory is used up. Looks in this file alone; `seen` are the datasets
/// that were begun with, and whether they were ended.
bool is_part_of_itself(const Call& call, hid_t file, const std::string& name, hid_t creation, std::map<std::string, bool>& seen) {
  std::size_t count = 0;
  if (H5Pget_layout(creation) == H5D_VIRTUAL) {
    call.check(H5Pget_virtual_count(creation, &count));
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::string of = part_name(call, creation, i, H5Pget_virtual_filename);
    if (of != "." && std::filesystem::path(of).filename() != name) {
      continue;
    }
    const auto [part, fresh] = seen.try_emplace(part_name(call, creation, i, H5Pget_virtual_dsetname), false);
    const Handle set(H5Dopen2(file, part->first.c_str(), H5P_DEFAULT), H5Dclose);
    const auto deeper = [&] { return is_part_of_itself(call, file, name, call.need(H5Dget_create_plist(set), H5Pclose), seen); };
    if (fresh ? set >= 0 && deeper() : !part->second) {
      return true;
    }
    part->second = true;
  }
  return false;
}

/// A missing file of a virtual dataset would be read as zeros. Adds up the bytes of the others, 1 GB for several (a name with %).
std::string missing_source(const Call& call, hid_t creation, const std::filesystem::path& file, double& bytes) {
  std::size_t count = 0;
  call.check(H5Pget_virtual_count(creation, &count));
  for (std::size_t i = 0; i < count; ++i) {
    std::string name = part_name(call, creation, i, H5Pget_virtual_filename);
    std::error_code none;
    const std::filesystem::path beside = file.parent_path() / name;
    const auto size = std::filesystem::file_size(std::filesystem::exists(beside, none) ? beside : std::filesystem::path(name), none);
    const bool several = name.find('%') != std::string::npos;
    if (none && name != "." && !several) {
      return name;
    }
    bytes += several ? 1e9 : none ? 0 : static_cast<double>(size);
  }
  return "";
}

/// Copies all datasets of a file into NAME.unpacked.h5 beside it, as they are read best: in one piece each, not packed.
std::string unpack_command(const std::filesystem::path& file) {
  return fmt::format(
      "python3 -c \"import h5py; a = h5py.File('{}'); b = h5py.File('{}', 'x'); names = []; a.visit(names.append); "
      "[b.create_dataset(n, data=a[n][()], dtype=a[n].dtype) "
      "for n in names if isinstance(a[n], h5py.Dataset)]\"",
      file.string(), std::filesystem::path(file).replace_extension(".unpacked.h5").string());
}

std::string trouble_of(const Call& call, const OpenDataset& set, hid_t creation, const std::vector<Filter>& filters,
                       const std::string& file, const std::string& path, const Hdf5Storage& found) {
  if (found.type.kind == Kind::other) {
    return fmt::format("{}: {} holds {} of {} bytes, but only numbers can be read.", file, path, found.type.name(), found.type.bytes);
  }
  for (const Filter& filter : filters) {
    if (H5Zfilter_avail(filter.id) <= 0) {
      return fmt::format("{}: {} is packed with {}, which this HDF5 cannot unpack.\n  Convert it where h5py is: {}", file, path,
                         filter.name, unpack_command(file));
    }
  }
  hsize_t size = 0;
  const Handle whole(H5Iget_file_id(set.id), H5Fclose);
  call.check(H5Fget_filesize(whole, &size));
  auto bytes = static_cast<double>(size);
  if (found.layout == "virtual") {
    std::map<std::string, bool> seen;
    if (is_part_of_itself(call, whole, std::filesystem::path(file).filename(), creation, seen)) {
      return fmt::format("{}: {} is virtual, and a part of itself.\n  Make it of other datasets.", file, path);
    }
    if (const std::string name = missing_source(call, creation, file, bytes); !name.empty()) {
      return fmt::format("{}: {} is virtual, and its part {} is not there: its rows would be read as zeros.\n  Copy that file too.", file,
                         path, name);
    }
  }
  if (H5Pget_external_count(creation) > 0) {
    return fmt::format("{}: the values of {} lie in other files.\n  Bring them in: h5repack -l CONTI {} FILE", file, path, file);
  }
  // What is read is asked for at once, so a length is believed as far as the best packing goes (gzip's is 1:1032).
  constexpr double kBestPacking = 4096;
  const double claimed = std::accumulate(set.dims.begin(), set.dims.end(), static_cast<double>(found.type.bytes), std::multiplies<>());
  if (claimed > kBestPacking * bytes) {
    return fmt::format("{}: {} claims to be [{}], {:.3g} bytes, but the file has only {:.3g}.\n  Was it written to its end?", file, path,
                       fmt::join(set.dims, ", "), claimed, bytes);
  }
  return "";
}

/// None where there is no such dataset.
std::optional<Hdf5Storage> storage_of(const std::string& file, hid_t id, const std::string& path) {
  const Call call(file, "cannot read the layout of " + path);
  if (const hid_t there = H5Dopen2(id, path.c_str(), H5P_DEFAULT); there < 0) {
    return std::nullopt;
  } else {
    H5Dclose(there);
  }
  const OpenDataset set = open_dataset(call, id, path);
  const Handle list = call.need(H5Dget_create_plist(set.id), H5Pclose);
  const std::vector<Filter> filters = filters_of(call, list);
  Hdf5Storage found{{set.dims.begin(), set.dims.end()}, set.stored, {}, "contiguous", !filters.empty(), ""};
  if (H5Pget_layout(list) == H5D_CHUNKED) {
    std::vector<hsize_t> chunk(set.dims.size());
    call.check(H5Pget_chunk(list, static_cast<int>(chunk.size()), chunk.data()));
    found.chunk.assign(chunk.begin(), chunk.end());
    found.layout = fmt::format("chunks of {}", Shape(found.chunk).str());
    for (const Filter& filter : filters) {
      found.layout += ", " + filter.name;
    }
  } else if (H5Pget_layout(list) == H5D_VIRTUAL) {
    found.layout = "virtual";
  }
  found.trouble = trouble_of(call, set, list, filters, file, path, found);
  return found;
}

}  // namespace

Handle hdf5::transfer_list(const Call& call, DType dtype, bool* inexact) {
  Handle list = call.need(H5Pcreate(H5P_DATASET_XFER), H5Pclose);
  if (dtype != DType::f32) {
    call.check(H5Pset_type_conv_cb(list, refuse_inexact, inexact));
  }
  return list;
}

std::optional<DType> ElementType::dtype() const {
  return kind == Kind::real && bytes == 4      ? std::optional(DType::f32)
         : kind == Kind::integer && bytes == 4 ? std::optional(DType::i32)
         : kind == Kind::natural && bytes == 1 ? std::optional(DType::u8)
                                               : std::nullopt;
}

std::string ElementType::name() const {
  if (kind == Kind::other) {
    return "text or a compound";
  }
  if (kind == Kind::boolean) {
    return "bool";
  }
  const char* const letter = kind == Kind::real ? "f" : kind == Kind::integer ? "i" : "u";
  return fmt::format("{}{}{}", letter, 8 * bytes, big_endian ? " big-endian" : "");
}

std::vector<std::string> Hdf5File::datasets() const {
  const Call call(name_, "cannot be listed");
  std::vector<std::string> paths;
  const auto add = [](hid_t group, const char* name, const H5L_info_t*, void* data) -> herr_t {
    const hid_t id = H5Oopen(group, name, H5P_DEFAULT);
    if (id < 0) {
      return 0;  // a link to what is not there
    }
    if (H5Iget_type(id) == H5I_DATASET) {
      static_cast<std::vector<std::string>*>(data)->push_back(std::string("/") + name);
    }
    return H5Oclose(id);
  };
  call.check(H5Lvisit(id_, H5_INDEX_NAME, H5_ITER_INC, add, &paths));
  return paths;
}

Hdf5Storage Hdf5File::storage(const std::string& path) const {
  if (const std::optional<Hdf5Storage> found = storage_of(name_, id_, path)) {
    return *found;
  }
  const std::vector<std::string> there = datasets();
  throw Hdf5Error(fmt::format("{}: holds no dataset {}; there {} {}.", name_, path, there.size() == 1 ? "is" : "are",
                              there.empty() ? "none" : fmt::format("{}", fmt::join(there, ", "))),
                  false);
}

void Hdf5File::read_rows_as(const std::string& path, DType dtype, std::int64_t first, std::int64_t rows, std::span<std::byte> bytes) const {
  const Call call(name_, "cannot read " + rows_of(path, first, rows));
  const Rows part = select_rows(call, id_, path, dtype, first, rows, bytes.size(), true);
  bool inexact = false;
  const bool by_double = dtype != DType::f32 && H5Tget_class(part.set.type) == H5T_FLOAT;
  std::vector<double> reals(by_double ? part.elements : 0);
  const Handle list = transfer_list(call, dtype, &inexact);
  // HDF5 says of some halves that are whole numbers that they are not, so floating-point numbers go by way of doubles.
  herr_t status = H5Dread(part.set.id, by_double ? H5T_NATIVE_DOUBLE : in_memory(dtype), part.memory, part.set.space,
                          by_double ? H5P_DEFAULT : static_cast<hid_t>(list), by_double ? static_cast<void*>(reals.data()) : bytes.data());
  if (by_double && status >= 0) {
    std::vector<std::byte> buffer(reals.size() * sizeof(double));
    std::memcpy(buffer.data(), reals.data(), buffer.size());
    status = H5Tconvert(H5T_NATIVE_DOUBLE, in_memory(dtype), reals.size(), buffer.data(), nullptr, list);
    std::copy_n(buffer.begin(), bytes.size(), bytes.begin());
  }
  if (inexact) {
    call.refuse(fmt::format("{} hold a value that is no whole number of {}.", rows_of(path, first, rows),
                            dtype == DType::u8 ? "0..255" : "-2147483648..2147483647"));
  }
  call.check(status);
}

}  // namespace lockstep
