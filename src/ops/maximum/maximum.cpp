#include "ops/elementwise.hpp"

/// maximum: y = max(a, b), elementwise. a, b broadcast as numpy's → y, f32. NaN if either is.
/// Gradient: to the greater operand; half to each where they are equal. Summed over the axes along which an operand was broadcast.
namespace lockstep {

constinit const DefinedOp maximum_op(elementwise(
    "maximum", 1,
    [](Value a, Value b, Value, Value g) {
      const Value half_tie = mul(equal(a, b), number(a, 0.5));
      return std::vector{sum_to(mul(g, add(step(sub(a, b)), half_tie)), a.shape()),
                         sum_to(mul(g, add(step(sub(b, a)), half_tie)), b.shape())};
    },
    [](auto a, auto b) { return ((a > b) | (a != a)) ? a : b; }));

Value maximum(Value a, Value b) { return a.graph->add(maximum_op, {}, {a, b}); }

}  // namespace lockstep
