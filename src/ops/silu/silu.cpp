#include "ops/elementwise.hpp"
#include "ops/fast_math.hpp"

/// silu: y = x·s with s = sigmoid(x), elementwise. x [...] → y [...], f32.
/// Gradient: g·(s + y·(1 − s)).
/// Elfwing, Uchibe, Doya 2017, arXiv 1702.03118 (also known as swish).
namespace lockstep {

constinit const DefinedOp silu_op(elementwise(
    "silu", 19,
    [](Value x, Value y, Value g) {
      const Value s = sigmoid(x);
      return mul(g, add(s, mul(y, sub(number(y, 1), s))));
    },
    [](double x) { return x / (1 + std::exp(-x)); }, [](float x) { return x * fast::sigmoid(x); }));

Value silu(Value x) { return x.graph->add(silu_op, {}, {x}); }

}  // namespace lockstep
