#include "ops/define.hpp"

namespace lockstep {

void transpose_reference(const ReferenceCall& call) {
  const std::vector<std::size_t> in_strides = strides_of(call.in_types[0].shape);
  std::vector<std::size_t> lengths, strides;
  for (const std::int64_t axis : call.attrs.list("permutation")) {
    lengths.push_back(static_cast<std::size_t>(call.in_types[0].shape[static_cast<int>(axis)]));
    strides.push_back(in_strides[static_cast<std::size_t>(axis)]);
  }
  StridedWalk place(std::move(lengths), std::move(strides));
  for (double& y : call.out[0]) {
    y = call.in[0][place.index()];
    place.next();
  }
}

}  // namespace lockstep
