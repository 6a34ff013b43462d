#pragma once

#include <type_traits>

#include "ops/define.hpp"
#include "ops/reference_loops.hpp"
#include "ops/wide.hpp"

namespace lockstep {

/// The gradient of an operand that was broadcast: g summed over the axes that `shape` lacks or has with length 1. Free when shapes agree.
Value sum_to(Value g, const Shape& shape);

/// A number beside `v`, f32 [].
inline Value number(Value v, double x) { return v.graph->constant(x); }

/// Tile loops. `out` may be an operand: element i is read before it is written and no other is touched, so the compiler may vectorise.
template <class F>
LOCKSTEP_WIDE static void tile_unary(float* out, const float* const* in, std::size_t n, F f) {
  const float* const x = in[0];
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = f(x[i]);
  }
}

template <class F>
LOCKSTEP_WIDE static void tile_binary(float* out, const float* const* in, std::size_t n, F f) {
  const float* const a = in[0];
  const float* const b = in[1];
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = f(a[i], b[i]);
  }
}

/// `infer` of elementwise ops: kOperands f32 operands, broadcast as numpy's; one f32 output.
template <std::size_t kOperands>
std::vector<TensorType> elementwise_infer(std::string_view op, std::span<const TensorType> in, const Attrs&) {
  check_operands(op, in, std::vector(kOperands, DType::f32));
  Shape shape = in[0].shape;
  for (const TensorType& type : in) {
    shape = broadcast(shape, type.shape, op);
  }
  return {{shape, DType::f32}};
}

/// The parts of an elementwise op without attributes. `flops` is the cost of an element; `exact` (in double) defines the op and `quick`
/// (in float) is its loop on the CPU, the same formula where it is left out. `gradient`: of one operand (x, y, g) → Value; of two
/// (a, b, y, g) → {Value, Value}; or `no_gradient`. All are lambdas that capture nothing.
template <class Gradient, class Exact, class Quick = Exact>
constexpr OpParts elementwise(std::string_view name, double flops, Gradient gradient, Exact, Quick = {}) {
  constexpr bool kUnary = std::is_invocable_v<Quick, float>;
  OpParts parts{.name = name, .infer = elementwise_infer<(kUnary ? 1 : 2)>, .flops = flops, .reference = nullptr};
  if constexpr (std::is_invocable_v<Gradient, const GradientCall&>) {
    parts.gradient = gradient;
  } else if constexpr (kUnary) {
    parts.gradient = [](const GradientCall& call) { return std::vector{Gradient{}(call.inputs[0], call.outputs[0], call.grads[0])}; };
  } else {
    parts.gradient = [](const GradientCall& call) { return Gradient{}(call.inputs[0], call.inputs[1], call.outputs[0], call.grads[0]); };
  }
  if constexpr (kUnary) {
    parts.reference = [](const ReferenceCall& call) { reference_unary(call, Exact{}); };
    parts.tile = [](float* out, const float* const* in, std::size_t n, const Attrs&) { tile_unary(out, in, n, Quick{}); };
  } else {
    parts.reference = [](const ReferenceCall& call) { reference_binary(call, Exact{}); };
    parts.tile = [](float* out, const float* const* in, std::size_t n, const Attrs&) { tile_binary(out, in, n, Quick{}); };
  }
  return parts;
}

}  // namespace lockstep
