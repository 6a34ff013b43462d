#include "formats/convert_elements.hpp"

#include <algorithm>

#include "data/hdf5_call.hpp"

namespace lockstep {
namespace {

using namespace hdf5;
using Kind = ElementType::Kind;

/// IEEE 754 numbers of 2, 4 or 8 bytes, or whole numbers of 1, 2, 4 or 8.
Handle type_of(const Call& call, ElementType type) {
  const auto order = type.big_endian ? H5T_ORDER_BE : H5T_ORDER_LE;
  if (type.kind == Kind::real) {
    Handle id = call.need(H5Tcopy(type.bytes == 8 ? H5T_IEEE_F64LE : H5T_IEEE_F32LE), H5Tclose);
    if (type.bytes == 2) {
      call.check(H5Tset_fields(id, 15, 10, 5, 0, 10));
      call.check(H5Tset_size(id, 2));
      call.check(H5Tset_ebias(id, 15));
    }
    call.check(H5Tset_order(id, order));
    return id;
  }
  Handle id = call.need(H5Tcopy(type.kind == Kind::integer ? H5T_STD_I8LE : H5T_STD_U8LE), H5Tclose);
  call.check(H5Tset_size(id, type.bytes));
  call.check(H5Tset_precision(id, 8 * type.bytes));
  call.check(H5Tset_order(id, order));
  return id;
}

}  // namespace

bool convert_elements(ElementType from, std::span<const std::byte> in, DType to, std::span<std::byte> out) {
  static const std::string what = "an array";
  const Call call(what, "cannot be converted");
  bool inexact = false;
  const std::size_t count = in.size() / from.bytes;
  std::vector<std::byte> buffer(count * std::max(from.bytes, size_of(to)));
  std::ranges::copy(in, buffer.begin());
  const herr_t status = H5Tconvert(type_of(call, from), in_memory(to), count, buffer.data(), nullptr, transfer_list(call, to, &inexact));
  if (!inexact) {
    call.check(status);
  }
  std::copy_n(buffer.begin(), count * size_of(to), out.begin());
  return !inexact;
}

}  // namespace lockstep
