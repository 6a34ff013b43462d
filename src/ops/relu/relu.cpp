#include "ops/elementwise.hpp"

/// relu: y = max(x, 0), elementwise; NaN stays NaN. x [...] → y [...], f32.
/// Gradient: g where y > 0, else 0: the input need not be kept.
namespace lockstep {

constinit const DefinedOp relu_op(elementwise(
    "relu", 1, [](Value, Value y, Value g) { return mul(g, step(y)); }, [](auto x) { return x < 0 ? 0 : x; }));

Value relu(Value x) { return x.graph->add(relu_op, {}, {x}); }

}  // namespace lockstep
