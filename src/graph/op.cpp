#include "lockstep/op.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace lockstep {

std::vector<Value> Op::gradient(const GradientCall&) const {
  throw UsageError(fmt::format("{} has no gradient, but a parameter needs one through it", name()));
}

std::vector<Value> Op::expand(Graph&, std::span<const Value>, const Attrs&) const { return {}; }

Cost Op::cost(std::span<const TensorType> in, std::span<const TensorType> out, const Attrs&) const {
  Cost cost;
  for (const auto types : {in, out}) {
    for (const TensorType& type : types) {
      cost.bytes += static_cast<double>(type.bytes());
    }
  }
  return cost;
}

Shape broadcast(const Shape& a, const Shape& b, std::string_view op) {
  const int rank = std::max(a.rank(), b.rank());
  std::vector<std::int64_t> dims(static_cast<std::size_t>(rank));
  for (int i = 1; i <= rank; ++i) {
    const std::int64_t x = i <= a.rank() ? a[-i] : 1;
    const std::int64_t y = i <= b.rank() ? b[-i] : 1;
    if (x != y && x != 1 && y != 1) {
      throw ShapeError(fmt::format("{}: the shapes {} and {} do not broadcast", op, a.str(), b.str()));
    }
    dims[static_cast<std::size_t>(rank - i)] = x == 1 ? y : x;
  }
  return Shape(std::move(dims));
}

}  // namespace lockstep
