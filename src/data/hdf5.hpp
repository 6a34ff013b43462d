#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "lockstep/error.hpp"
#include "lockstep/tensor.hpp"

/// HDF5 as Lockstep uses it. Every call holds one lock of ours for the whole process (cluster builds of HDF5 are often not thread-safe),
/// files are not locked on disk (shared file systems often cannot), no time stamps are stored (the same content gives the same bytes),
/// and metadata on disk carry checksums (format of HDF5 1.10). Names are paths inside the file: "/features", "/optimizer/momentum".
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

/// Element types of datasets; `other` stands for all that Lockstep does not read.
enum class Hdf5Kind : std::uint8_t { f32, f64, i32, i64, u8, other };

[[nodiscard]] std::size_t size_of(Hdf5Kind kind);
[[nodiscard]] std::string_view name_of(Hdf5Kind kind);

/// f32, i32 or u8; throws UsageError on another dtype.
[[nodiscard]] Hdf5Kind hdf5_kind(DType dtype);

template <class T>
[[nodiscard]] constexpr Hdf5Kind hdf5_kind() {
  if constexpr (std::is_same_v<T, float>) {
    return Hdf5Kind::f32;
  } else if constexpr (std::is_same_v<T, double>) {
    return Hdf5Kind::f64;
  } else if constexpr (std::is_same_v<T, std::int32_t>) {
    return Hdf5Kind::i32;
  } else if constexpr (std::is_same_v<T, std::int64_t>) {
    return Hdf5Kind::i64;
  } else {
    static_assert(std::is_same_v<T, std::uint8_t>, "f32, f64, i32, i64 and u8 only");
    return Hdf5Kind::u8;
  }
}

/// What a file says about one dataset.
struct Hdf5Info {
  std::vector<std::int64_t> dims;
  Hdf5Kind kind = Hdf5Kind::other;
  std::size_t element_bytes = 0;     ///< in the file
  std::string layout;                ///< "contiguous", "chunked", "compact" or "virtual"
  std::int64_t chunk_rows = 0;       ///< 0 when not chunked
  std::vector<std::string> filters;  ///< "fletcher32", "deflate", …
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
  /// (texts: any length).
  static Hdf5File create_in_memory();
  /// Read-only, from the bytes of a file (copied). `name` stands for the file in messages.
  static Hdf5File from_image(std::span<const std::byte> bytes, const std::string& name);

  Hdf5File(Hdf5File&&) noexcept;
  Hdf5File& operator=(Hdf5File&&) noexcept;
  ~Hdf5File();

  /// Writes everything out and closes; the object may then only be destroyed or assigned to.
  void close();
  /// The file's bytes as they would lie on disk, after a flush.
  [[nodiscard]] std::vector<std::byte> image();
  [[nodiscard]] const std::string& name() const;

  [[nodiscard]] bool exists(const std::string& path) const;
  /// Names directly under a group, in name order.
  [[nodiscard]] std::vector<std::string> children(const std::string& group = "/") const;
  [[nodiscard]] bool is_group(const std::string& path) const;
  /// Parents are created too; an existing group is left as it is.
  void create_group(const std::string& path);

  [[nodiscard]] Hdf5Info info(const std::string& path) const;

  /// A whole dataset, row-major; `dims` empty stands for a scalar. Parents are created. With `chunk_rows` > 0 it is cut into chunks of
  /// that many rows (of the first axis), each with a Fletcher-32 checksum that every read verifies. Requires values.size() = Π dims.
  template <class T>
  void write(const std::string& path, const std::vector<std::int64_t>& dims, std::span<const T> values, std::int64_t chunk_rows = 0) {
    create_dataset(path, hdf5_kind<T>(), dims, chunk_rows);
    write_all(path, hdf5_kind<T>(), std::as_bytes(values));
  }
  /// A whole dataset. Throws Hdf5Error if it does not hold elements of type T.
  template <class T>
  [[nodiscard]] std::vector<T> read(const std::string& path) const {
    std::vector<T> values(elements(path));
    read_into<T>(path, values);
    return values;
  }
  /// The same into a buffer of the right size (else Hdf5Error).
  template <class T>
  void read_into(const std::string& path, std::span<T> values) const {
    read_all(path, hdf5_kind<T>(), std::as_writable_bytes(values));
  }

  /// A dataset to be filled by `write_rows`. Elements never written are undefined.
  void create_dataset(const std::string& path, Hdf5Kind kind, const std::vector<std::int64_t>& dims, std::int64_t chunk_rows = 0);
  /// Rows first … first + rows − 1 (of the first axis); `bytes` holds exactly these, elements of `kind` in the machine's byte order.
  /// An Hdf5Error with checksum() says that the stored rows are damaged.
  void write_rows(const std::string& path, Hdf5Kind kind, std::int64_t first, std::int64_t rows, std::span<const std::byte> bytes);
  void read_rows(const std::string& path, Hdf5Kind kind, std::int64_t first, std::int64_t rows, std::span<std::byte> bytes) const;

  // Attributes of a group or dataset ("/" is the file's root). Setting one again replaces it. Long texts are better stored as u8 datasets.
  void set_attribute(const std::string& object, const std::string& name, std::string_view text);
  void set_attribute(const std::string& object, const std::string& name, const char* text) {
    set_attribute(object, name, std::string_view(text));
  }
  void set_attribute(const std::string& object, const std::string& name, std::int64_t number);
  void set_attribute(const std::string& object, const std::string& name, double number);
  void set_attribute(const std::string& object, const std::string& name, const std::vector<std::string>& texts);
  void set_attribute(const std::string& object, const std::string& name, const std::vector<double>& numbers);
  [[nodiscard]] bool has_attribute(const std::string& object, const std::string& name) const;
  /// Each throws Hdf5Error naming the file, object and attribute when it is missing or of another type.
  [[nodiscard]] std::string text_attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] std::int64_t integer_attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] double real_attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] std::vector<std::string> texts_attribute(const std::string& object, const std::string& name) const;
  [[nodiscard]] std::vector<double> reals_attribute(const std::string& object, const std::string& name) const;

 private:
  struct State;
  explicit Hdf5File(std::unique_ptr<State> state);
  [[nodiscard]] std::size_t elements(const std::string& path) const;
  void write_all(const std::string& path, Hdf5Kind kind, std::span<const std::byte> bytes);
  void read_all(const std::string& path, Hdf5Kind kind, std::span<std::byte> bytes) const;

  std::unique_ptr<State> state_;
};

}  // namespace lockstep
