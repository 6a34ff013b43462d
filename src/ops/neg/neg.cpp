#include "ops/elementwise.hpp"

/// neg: y = −x, elementwise. x [...] → y [...], f32.
/// Gradient: −g.
namespace lockstep {

constinit const DefinedOp neg_op(elementwise(
    "neg", 1, [](Value, Value, Value g) { return neg(g); }, [](auto x) { return -x; }));

Value neg(Value x) { return x.graph->add(neg_op, {}, {x}); }

}  // namespace lockstep
