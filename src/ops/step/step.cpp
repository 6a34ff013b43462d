#include "ops/elementwise.hpp"

/// step: y = 1 where x > 0, else 0, elementwise. x [...] → y [...], f32.
/// No gradient flows.
namespace lockstep {

const OpEntry& step_entry() {
  static const DefinedOp op(elementwise(
      "step", 1, no_gradient, [](double x) -> double { return x > 0 ? 1 : 0; }, [](float x) { return x > 0.0F ? 1.0F : 0.0F; }));
  return op.entry;
}

Value step(Value x) { return x.graph->add(step_op(), {}, {x}); }

}  // namespace lockstep
