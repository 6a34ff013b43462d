#include "ops/equal/equal.hpp"

#include "ops/elementwise.hpp"

namespace lockstep {
namespace {

std::vector<Value> gradient(const GradientCall&) {
  return {Value{}, Value{}};
}

}  // namespace

/// equal: y = 1 where a == b, else 0, elementwise. a, b broadcast as numpy's → y, f32.
/// No gradient flows.
const Op& equal_op() {
  static const ElementwiseOp op("equal", 2, 1, gradient);
  return op;
}

Value equal(Value a, Value b) {
  return a.graph->add(equal_op(), {}, {a, b});
}

}  // namespace lockstep
