#include "formats/import_npy.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <regex>

#include "formats/convert_elements.hpp"
#include "lockstep/error.hpp"

namespace lockstep {
namespace {

constexpr std::int64_t kBytesAtOnce = 1 << 20;

struct Npy {
  ElementType type;
  std::vector<std::int64_t> dims;
  std::int64_t begin = 0;  ///< of the elements in the file
};

[[noreturn]] void refuse(const std::string& file, const std::string& why) { throw DataError(fmt::format("{}: {}", file, why)); }

ElementType type_of(const std::string& file, const std::string& text) {
  constexpr std::string_view kKinds = "iubf";
  constexpr std::array kMeans{ElementType::Kind::integer, ElementType::Kind::natural, ElementType::Kind::boolean, ElementType::Kind::real};
  const std::size_t kind = text.size() == 3 ? kKinds.find(text[1]) : std::string_view::npos;
  const std::size_t bytes = text.size() == 3 ? static_cast<std::size_t>(text[2] - '0') : 0;
  if (kind == std::string_view::npos || (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8) || (text[1] == 'f' && bytes == 1)) {
    refuse(file, fmt::format("holds elements of numpy's type '{}', but numbers of 1 to 8 bytes are needed.\n  Convert it: "
                             "numpy.save(FILE, array.astype('float32'))",
                             text));
  }
  return {kMeans.at(kind), bytes, text[0] == '>'};
}

/// Memory is asked for by the header's lengths, so they must be those of the file.
void check_size(const Npy& found, const std::string& file, std::uintmax_t size) {
  auto bytes = static_cast<std::int64_t>(found.type.bytes);
  bool countable = true;
  for (const std::int64_t length : found.dims) {
    countable = countable && !__builtin_mul_overflow(bytes, length, &bytes);
  }
  if (const std::uintmax_t held = size - static_cast<std::uintmax_t>(found.begin);
      !countable || static_cast<std::uintmax_t>(bytes) > held) {
    refuse(file,
           fmt::format("announces an array of {}, but holds {} bytes of it.\n  Fetch or write it again.", Shape(found.dims).str(), held));
  }
}

/// The header is a Python dictionary: {'descr': '<f4', 'fortran_order': False, 'shape': (60000, 28, 28), }
Npy read_header(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  std::array<char, 10> start{};
  if (!in.read(start.data(), start.size()) || !std::string_view(start.data(), 6).starts_with("\x93NUMPY")) {
    refuse(file,
           file.ends_with(".npz") ? "is a .npz archive; unpack it (unzip) and give its .npy files." : "is no .npy file, or is not there.");
  }
  const auto byte = [&](std::size_t i) { return std::size_t{static_cast<unsigned char>(start.at(i))}; };
  std::size_t length = byte(8) | byte(9) << 8;
  if (byte(6) >= 2) {
    std::array<char, 2> more{};
    in.read(more.data(), more.size());
    length |= std::size_t{static_cast<unsigned char>(more[0])} << 16 | std::size_t{static_cast<unsigned char>(more[1])} << 24;
  }
  constexpr std::size_t kLongest = 1 << 20;
  std::string header(std::min(length, kLongest), '\0');
  std::smatch type;
  std::smatch shape;
  if (!in.read(header.data(), std::ssize(header)) || !std::regex_search(header, type, std::regex("'descr': *'([^']*)'")) ||
      !std::regex_search(header, shape, std::regex("'shape': *\\(([0-9, ]*)\\)"))) {
    refuse(file, "has a header that is not one of an array of numbers.");
  }
  Npy found{type_of(file, type[1]), {}, in.tellg()};
  const std::string lengths = shape[1];
  for (const char* at = lengths.data(); at != lengths.data() + lengths.size();) {
    std::int64_t n = 0;
    const auto [end, error] = std::from_chars(at, lengths.data() + lengths.size(), n);
    if (error == std::errc()) {
      found.dims.push_back(n);
    } else if (error == std::errc::result_out_of_range) {
      refuse(file, fmt::format("announces an array of ({}), whose lengths cannot be counted.", lengths));
    }
    at = error == std::errc() ? end : at + 1;
  }
  if (found.dims.empty() || found.dims[0] < 1) {
    refuse(file, "holds no rows.");
  }
  std::error_code none;
  check_size(found, file, std::filesystem::file_size(file, none));
  if (header.find("'fortran_order': True") != std::string::npos && found.dims.size() > 1) {
    refuse(file, "is stored column by column.\n  Convert it: numpy.save(FILE, numpy.ascontiguousarray(array))");
  }
  return found;
}

struct Array {
  FieldReading reading;
  Npy npy;
  [[nodiscard]] std::int64_t row_bytes() const { return reading.stored.elements() * static_cast<std::int64_t>(npy.type.bytes); }
};

std::vector<std::byte> read_rows(const Array& array, std::ifstream& in, std::int64_t first, std::int64_t rows) {
  const std::string& file = array.reading.source.path;
  std::vector<std::byte> stored(static_cast<std::size_t>(rows * array.row_bytes()));
  if (!in.read(reinterpret_cast<char*>(stored.data()), std::ssize(stored))) {
    refuse(file, fmt::format("announces {} rows, but ends before row {}.", array.npy.dims[0], first + rows));
  }
  std::vector<std::byte> converted(static_cast<std::size_t>(rows) * array.reading.stored_bytes());
  if (!convert_elements(array.npy.type, stored, array.reading.read_as, converted)) {
    refuse(file, fmt::format("rows {}..{} hold a value that is no whole number of 32 bits.", first, first + rows - 1));
  }
  return array.reading.convert(std::move(converted), first, file);
}

}  // namespace

RowSource npy_rows(const std::vector<FieldSource>& sources) {
  std::vector<Array> arrays;
  RowSource result;
  std::int64_t widest = 1;
  for (const FieldSource& source : sources) {
    const Npy npy = read_header(source.path);
    const Array& array = arrays.emplace_back(Array{FieldReading::of(source, npy.type, npy.dims, source.path), npy});
    if (npy.dims[0] != arrays[0].npy.dims[0]) {
      refuse(source.path, fmt::format("has {} rows, but {} has {}.", npy.dims[0], sources[0].path, arrays[0].npy.dims[0]));
    }
    result.fields.push_back(array.reading.field);
    if (array.reading.normalised) {
      result.normalised.insert(array.reading.field.name);
    }
    widest = std::max(widest, array.row_bytes());
  }
  result.rows = arrays.empty() ? 0 : arrays[0].npy.dims[0];
  result.read = [arrays, rows = result.rows, at_once = std::max<std::int64_t>(1, kBytesAtOnce / widest)](const RowSink& take) {
    std::vector<std::ifstream> files;
    for (const Array& array : arrays) {
      files.emplace_back(array.reading.source.path, std::ios::binary).seekg(array.npy.begin);
    }
    for (std::int64_t first = 0; first < rows; first += at_once) {
      std::vector<std::vector<std::byte>> values;
      for (std::size_t a = 0; a < arrays.size(); ++a) {
        values.push_back(read_rows(arrays[a], files[a], first, std::min(at_once, rows - first)));
      }
      take(std::vector<std::span<const std::byte>>(values.begin(), values.end()));
    }
  };
  return result;
}

}  // namespace lockstep
