#include "ops/elementwise.hpp"

/// add: y = a + b, elementwise. a, b broadcast as numpy's → y, f32.
/// Gradient: g for both, summed over the axes along which an operand was broadcast.
namespace lockstep {

constinit const DefinedOp add_op(elementwise(
    "add", 1,
    [](Value a, Value b, Value, Value g) {
      return std::vector{sum_to(g, a.shape()), sum_to(g, b.shape())};
    },
    [](auto a, auto b) { return a + b; }));

Value add(Value a, Value b) { return a.graph->add(add_op, {}, {a, b}); }

}  // namespace lockstep
