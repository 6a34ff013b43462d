#include "data/hdf5_handle.hpp"

#include <fmt/format.h>

namespace lockstep::hdf5 {
namespace {

static_assert(sizeof(hid_t) == 8, "HDF5 1.10 or newer");

/// HDF5's innermost complaint.
std::string last_reason(bool& checksum) {
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
  // HDF5 1.10 names the checksum; 1.14 says only that a filter refused what it read.
  checksum = reason.find("letcher32") != std::string::npos || reason.find("filter returned failure during read") != std::string::npos;
  return reason;
}

}  // namespace

std::mutex& process_mutex() {
  static std::mutex mutex;
  return mutex;
}

void fail(const std::string& file, const std::string& what) {
  bool checksum = false;
  const std::string reason = last_reason(checksum);
  throw Hdf5Error(fmt::format("{}: {}{}", file, what, reason.empty() ? "." : " (HDF5: " + reason + ")."), checksum);
}

void refuse(const std::string& file, const std::string& what) { throw Hdf5Error(fmt::format("{}: {}", file, what), false); }

Handle need(hid_t id, Handle::Close close, const std::string& file, const std::string& what) {
  if (id < 0) {
    fail(file, what);
  }
  return {id, close};
}

void check(herr_t status, const std::string& file, const std::string& what) {
  if (status < 0) {
    fail(file, what);
  }
}
}  // namespace lockstep::hdf5
