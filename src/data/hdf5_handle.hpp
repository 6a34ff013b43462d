#pragma once

#include <hdf5.h>

#include <mutex>
#include <string>
#include <utility>

#include "data/hdf5.hpp"

/// What the files of the HDF5 wrapper share; nobody else includes it.
namespace lockstep::hdf5 {

std::mutex& process_mutex();

/// Held around every call. HDF5's own printing of errors is off for this thread.
class Lock {
 public:
  Lock() : lock_(process_mutex()) { H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr); }

 private:
  std::scoped_lock<std::mutex> lock_;
};

/// One HDF5 identifier. Made and destroyed under the lock.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle(hid_t id, Close close) : id_(id), close_(close) {}
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  ~Handle() {
    if (id_ >= 0) {
      close_(id_);
    }
  }
  operator hid_t() const { return id_; }
  /// Closes now and tells how that went.
  herr_t close() { return close_(std::exchange(id_, -1)); }

 private:
  hid_t id_;
  Close close_;
};

/// Throws Hdf5Error with HDF5's own reason.
[[noreturn]] void fail(const std::string& file, const std::string& what);

/// Throws Hdf5Error for a refusal of ours rather than HDF5's.
[[noreturn]] void refuse(const std::string& file, const std::string& what);

/// The identifier, or `fail` if it is none.
Handle need(hid_t id, Handle::Close close, const std::string& file, const std::string& what);

/// `fail` if the status is negative.
void check(herr_t status, const std::string& file, const std::string& what);

}  // namespace lockstep::hdf5

namespace lockstep {

struct Hdf5File::State {
  hdf5::Handle id;
  std::string name;
};

}  // namespace lockstep
