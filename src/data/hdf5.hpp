#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>

#include "lockstep/error.hpp"
#include "lockstep/tensor.hpp"

/// HDF5 as Lockstep uses it. Every call holds one lock of ours for the whole process (cluster builds of HDF5 are often not thread-safe),
/// files are not locked on disk (shared file systems often cannot), no time stamps are stored (the same content gives the same bytes),
/// and metadata on disk carry checksums (format of HDF5 1.10). Names are paths inside the file: "/features", "/optimizer/momentum".
/// Datasets hold f32, i32 or u8.
namespace lockstep {

/// HDF5 refused. The text names the file, the object and HDF5's own innermost reason.
class Hdf5Error : public DataError {
 public:
  Hdf5Error(const std::string& what, bool checksum) : DataError(what), checksum_(checksum) {}
  /// True when stored data do not match their Fletcher-32 checksum.
  [[nodiscard]] bool checksum() const { return checksum_; }

 private:
  bool checksum_;
};

/// How elements are stored in a file.
struct ElementType {
  enum class Kind : std::uint8_t { integer, natural, boolean, real, other };
  Kind kind = Kind::other;
  std::size_t bytes = 0;
  bool big_endian = false;

  /// "f64", "u16 big-endian", "bool"; "text or a compound" for what is no number.
  [[nodiscard]] std::string name() const;
  /// None: elements that Lockstep does not write itself.
  [[nodiscard]] std::optional<DType> dtype() const;
  [[nodiscard]] bool is_whole() const { return kind == Kind::integer || kind == Kind::natural || kind == Kind::boolean; }
};

/// How a dataset is stored.
struct Hdf5Storage {
  std::vector<std::int64_t> dims;
  ElementType type;
  std::vector<std::int64_t> chunk;  ///< empty: not in chunks
  std::string layout;               ///< "contiguous", "chunks of [64, 28, 28], gzip", "virtual"
  bool filtered = false;            ///< a chunk can only be read whole
  std::string trouble;              ///< why it cannot be read here, and the command that mends it; mostly empty
};

/// One open file, on disk or in memory. Closed by the destructor (errors ignored) or by `close` (errors thrown).
/// All functions throw Hdf5Error. Safe to use from several threads.
class Hdf5File {
 public:
  /// Read-only. A missing file, or one that is not HDF5, is an Hdf5Error that says so.
  static Hdf5File open(const std::filesystem::path& path);
  /// Writes a new file; an old one of that name is replaced.
  static Hdf5File create(const std::filesystem::path& path);
  /// A new file in memory alone; take its bytes with `image`. In the oldest format: no checksums of metadata, attributes up to 64 KB
  /// (texts: any length). `memory` is emptied and used for the bytes.
  static Hdf5File create_in_memory(std::vector<std::byte> memory = {});
  /// Read-only, from the bytes of a file (copied). `name` stands for the file in messages.
  static Hdf5File from_image(std::span<const std::byte> bytes, const std::string& name);

  Hdf5File(Hdf5File&& other) noexcept
      : name_(std::move(other.name_)), id_(std::exchange(other.id_, -1)), memory_(std::move(other.memory_)) {}
  Hdf5File& operator=(Hdf5File&& other) noexcept {
    std::swap(name_, other.name_);
    std::swap(id_, other.id_);
    std::swap(memory_, other.memory_);
    return *this;
  }
  ~Hdf5File();

  /// Writes everything out and closes; the object may then only be destroyed or assigned to.
  void close();
  /// The bytes of a file made by create_in_memory, as they would lie on disk. Closes it.
  [[nodiscard]] std::vector<std::byte> image();

  /// Requires that there is none yet. Parents are created too.
  void create_group(const std::string& path);

  /// A whole dataset, row-major; `dims` empty stands for a scalar. Parents are created. With `chunk_rows` > 0 it is cut into chunks of
  /// that many rows (of the first axis), each with a Fletcher-32 checksum that every read verifies. Requires values.size() = Π dims.
  template <class T>
  void write(const std::string& path, const std::vector<std::int64_t>& dims, std::span<const T> values, std::int64_t chunk_rows = 0) {
    create_dataset(path, dtype_of<T>(), dims, chunk_rows);
    write_rows(path, dtype_of<T>(), 0, kAllRows, std::as_bytes(values));
  }
  /// A whole dataset. Throws Hdf5Error if it does not hold elements of type T, or cannot be as large as it claims.
  template <class T>
  [[nodiscard]] std::vector<T> read(const std::string& path) const {
    const Hdf5Storage stored = storage(path);
    if (!stored.trouble.empty()) {
      throw Hdf5Error(stored.trouble, false);
    }
    std::vector<T> values(static_cast<std::size_t>(Shape(stored.dims).elements()));
    read_rows(path, dtype_of<T>(), 0, kAllRows, std::as_writable_bytes(std::span(values)));
    return values;
  }

  /// A dataset to be filled by `write_rows`. Elements never written are undefined. Throws UsageError on bf16.
  void create_dataset(const std::string& path, DType dtype, const std::vector<std::int64_t>& dims, std::int64_t chunk_rows = 0);
  /// Rows first … first + rows − 1 (of the first axis); `bytes` holds exactly these, elements of `dtype` in the machine's byte order.
  /// An Hdf5Error with checksum() says that the stored rows are damaged.
  void write_rows(const std::string& path, DType dtype, std::int64_t first, std::int64_t rows, std::span<const std::byte> bytes);
  void read_rows(const std::string& path, DType dtype, std::int64_t first, std::int64_t rows, std::span<std::byte> bytes) const;

  // Files made elsewhere (hdf5_elsewhere.cpp).
  /// The paths of all datasets, in name order.
  [[nodiscard]] std::vector<std::string> datasets() const;
  /// Throws Hdf5Error naming the datasets there are when this is none.
  [[nodiscard]] Hdf5Storage storage(const std::string& path) const;
  /// As `read_rows`, from any type of number. Throws Hdf5Error where `dtype` is i32 or u8 and some value is no whole number in its range.
  void read_rows_as(const std::string& path, DType dtype, std::int64_t first, std::int64_t rows, std::span<std::byte> bytes) const;

  // Attributes of the file's root. Setting one again replaces it. Long texts are better stored as u8 datasets.
  void set_attribute(const std::string& name, std::string_view text);
  void set_attribute(const std::string& name, const char* text) { set_attribute(name, std::string_view(text)); }
  void set_attribute(const std::string& name, std::int64_t number);
  void set_attribute(const std::string& name, const std::vector<std::string>& texts);
  void set_attribute(const std::string& name, const std::vector<double>& numbers);
  [[nodiscard]] bool has_attribute(const std::string& name) const;
  /// Each throws Hdf5Error naming the file and the attribute when it is missing or of another type.
  [[nodiscard]] std::string text_attribute(const std::string& name) const;
  [[nodiscard]] std::int64_t integer_attribute(const std::string& name) const;
  [[nodiscard]] std::vector<std::string> texts_attribute(const std::string& name) const;
  [[nodiscard]] std::vector<double> reals_attribute(const std::string& name) const;

 private:
  static constexpr std::int64_t kAllRows = -1;  ///< for `rows`: the whole dataset, which may be a scalar
  template <class T>
  static constexpr DType dtype_of() {
    static_assert(std::is_same_v<T, float> || std::is_same_v<T, std::int32_t> || std::is_same_v<T, std::uint8_t>);
    return std::is_same_v<T, float> ? DType::f32 : std::is_same_v<T, std::int32_t> ? DType::i32 : DType::u8;
  }
  Hdf5File(std::string name, std::int64_t id) : name_(std::move(name)), id_(id) {}

  std::string name_;
  std::int64_t id_;                                 ///< HDF5's; −1: closed
  std::unique_ptr<std::vector<std::byte>> memory_;  ///< of a new file in memory
};

}  // namespace lockstep
