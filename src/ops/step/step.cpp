#include "ops/elementwise.hpp"

/// step: y = 1 where x > 0, else 0, elementwise. x [...] → y [...], f32.
/// No gradient flows.
namespace lockstep {

constinit const DefinedOp step_op(elementwise("step", 1, no_gradient, [](auto x) { return x > 0 ? 1.0F : 0.0F; }));

Value step(Value x) { return x.graph->add(step_op, {}, {x}); }

}  // namespace lockstep
