#include "fuzz/target.hpp"

#include <fmt/format.h>
#include <hdf5.h>
#include <stdlib.h>

#include <algorithm>
#include <fstream>

#include "formats/summary.hpp"
#include "lockstep/error.hpp"

namespace lockstep::fuzz {
namespace {

/// What the fields of headers are easily forged to.
constexpr std::array<std::uint64_t, 16> kBorders{
    127,        128,        255,        256,        65535,     65536,      INT32_MAX,  std::uint64_t{1} << 31,
    UINT32_MAX, 1ULL << 32, 1ULL << 40, 1ULL << 60, INT64_MAX, 1ULL << 63, UINT64_MAX, UINT64_MAX - 15};

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "lockstep-fuzz-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

bool ends_well(const Target& target, std::span<const std::uint8_t> bytes, std::string& what) {
  try {
    target.run(bytes);
  } catch (const Error& error) {
    what = error.what();
    return !what.empty();
  } catch (const std::exception& error) {
    what = error.what();
    return false;
  }
  return true;
}

}  // namespace

std::span<const Target> targets() {
  static const std::array all{kIdx, kPacked, kCsv, kNpy, kSafetensors, kModel, kConfig, kDataset, kElsewhere, kCheckpoint};
  return all;
}

const Target* target_named(std::string_view name) {
  const auto found = std::ranges::find(targets(), name, &Target::name);
  return found == targets().end() ? nullptr : &*found;
}

bool survives(const Target& target, std::span<const std::uint8_t> bytes, std::string& what) {
  const bool well = ends_well(target, bytes, what);
  if (H5Fget_obj_count(H5F_OBJ_ALL, H5F_OBJ_ALL) > 0) {
    what = "HDF5 objects were left open";
    return false;
  }
  return well;
}

std::uint8_t Input::byte() {
  if (bytes_.empty()) {
    return 0;
  }
  const std::uint8_t first = bytes_[0];
  bytes_ = bytes_.subspan(1);
  return first;
}

std::uint64_t Input::number() {
  constexpr std::uint8_t kSmall = 128;
  const std::uint8_t first = byte();
  return first < kSmall ? first % 16 : kBorders.at(first % kBorders.size());
}

std::size_t Input::length() {
  const std::size_t wanted = byte();  // before the bytes that are left are counted
  return std::min(wanted, bytes_.size());
}

std::string Input::text() {
  const std::size_t count = length();
  const std::string text(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(count));
  bytes_ = bytes_.subspan(count);
  return text;
}

const std::filesystem::path& scratch() {
  static const ScratchFolder folder;
  return folder.path();
}

std::filesystem::path scratch_file(std::string_view name, std::span<const std::uint8_t> bytes) {
  const std::filesystem::path path = scratch() / name;
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  return path;
}

void read_through(const RowSource& source) {
  Summary summary(source.fields);
  std::int64_t row = 0;
  source.read([&](std::span<const std::span<const std::byte>> values) {
    for (std::size_t f = 0; f < values.size(); ++f) {
      summary.add(f, values[f], row, "the rows");
    }
    row += static_cast<std::int64_t>(values[0].size() / source.fields[0].row_bytes());
  });
}

Bytes bytes_of(std::string_view text) { return {text.begin(), text.end()}; }

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) {
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

}  // namespace lockstep::fuzz
