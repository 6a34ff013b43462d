#pragma once

#include <fmt/format.h>
#include <hdf5.h>

#include <mutex>

#include "data/hdf5.hpp"

/// How the functions of Hdf5File call the library: handles that close themselves, one lock, errors with names. For src/data/hdf5*.cpp.
namespace lockstep::hdf5 {

static_assert(sizeof(hid_t) == 8, "HDF5 1.10 or newer");

/// One HDF5 identifier. Made and destroyed under the lock.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&&) = delete;
  ~Handle() {
    if (id_ >= 0) {
      close_(id_);
    }
  }
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  Close close_;
};

/// Held around every call. HDF5's own printing of errors is off for this thread, and it loads no filters from shared libraries: a file
/// would say which.
class Lock {
 public:
  Lock() : lock_(mutex()) {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    [[maybe_unused]] static const herr_t no_plugins = H5PLset_loading_state(0);
  }

 private:
  static std::mutex& mutex() {
    static std::mutex mutex;
    return mutex;
  }
  std::scoped_lock<std::mutex> lock_;
};

/// One operation on a file, under the lock; what goes wrong is told with the names of both.
class Call {
 public:
  /// `what` cannot be done if it fails: "cannot read /x".
  Call(const std::string& file, std::string what) : file_(file), what_(std::move(what)) {}

  /// Throws Hdf5Error with HDF5's innermost reason if the status (or identifier) is negative.
  void check(std::int64_t status) const { check(status, what_); }
  void check(std::int64_t status, const std::string& what) const {
    if (status >= 0) {
      return;
    }
    std::string reason;
    H5Ewalk2(
        H5E_DEFAULT, H5E_WALK_UPWARD,
        [](unsigned n, const H5E_error2_t* error, void* data) -> herr_t {
          if (n == 0 && error->desc != nullptr) {
            *static_cast<std::string*>(data) = error->desc;
          }
          return 0;
        },
        &reason);
    H5Eclear2(H5E_DEFAULT);  // a thread that ends would leave its stack's texts behind
    // HDF5 1.10 names the checksum; 1.14 says only that a filter refused what it read.
    const bool checksum =
        reason.find("letcher32") != std::string::npos || reason.find("filter returned failure during read") != std::string::npos;
    throw Hdf5Error(fmt::format("{}: {}{}", file_, what, reason.empty() ? "." : " (HDF5: " + reason + ")."), checksum);
  }
  Handle need(hid_t id, Handle::Close close) const {
    check(id);
    return {id, close};
  }
  /// Throws Hdf5Error for a refusal of ours rather than HDF5's.
  [[noreturn]] void refuse(const std::string& why) const { throw Hdf5Error(fmt::format("{}: {}", file_, why), false); }

 private:
  Lock lock_;
  const std::string& file_;
  std::string what_;
};

inline hid_t in_memory(DType dtype) {
  return dtype == DType::f32 ? H5T_NATIVE_FLOAT : dtype == DType::i32 ? H5T_NATIVE_INT32 : H5T_NATIVE_UINT8;
}

struct OpenDataset {
  Handle id, type, space;
  std::vector<hsize_t> dims;
  ElementType stored;
};

[[nodiscard]] OpenDataset open_dataset(const Call& call, hid_t file, const std::string& path);

/// A dataset with some of its rows selected, and the shape in memory that goes with them.
struct Rows {
  OpenDataset set;
  Handle memory;
  std::size_t elements;
};

/// Checks the range, the size of the buffer and, unless `convert`, the type. `rows` < 0: the whole dataset.
[[nodiscard]] Rows select_rows(const Call& call, hid_t file, const std::string& path, DType dtype, std::int64_t first, std::int64_t rows,
                               std::size_t bytes, bool convert = false);

/// For transfers to `dtype`: the first value without an equal among whole numbers of that type ends them and sets `inexact`.
[[nodiscard]] Handle transfer_list(const Call& call, DType dtype, bool* inexact);

/// "rows 3..7 of /x"
[[nodiscard]] std::string rows_of(const std::string& path, std::int64_t first, std::int64_t rows);

}  // namespace lockstep::hdf5
