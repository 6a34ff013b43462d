#pragma once

#include <cstddef>
#include <vector>

#include "lockstep/kernel.hpp"
#include "lockstep/ops.hpp"
#include "ops/shapes.hpp"

namespace lockstep {

/// An elementwise op: operands f32, broadcast as numpy's; one f32 output. `flops` is the cost of an element.
class ElementwiseOp final : public Op {
 public:
  using Gradient = std::vector<Value> (*)(const GradientCall&);

  ElementwiseOp(std::string_view name, std::size_t operands, double flops, Gradient gradient)
      : name_(name), operands_(operands), flops_(flops), gradient_(gradient) {}

  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const override;
  [[nodiscard]] std::vector<Value> gradient(const GradientCall& call) const override { return gradient_(call); }
  [[nodiscard]] Cost cost(std::span<const TensorType> in, std::span<const TensorType> out, const Attrs& attrs) const override;
  [[nodiscard]] bool elementwise() const override { return true; }

 private:
  std::string_view name_;
  std::size_t operands_;
  double flops_;
  Gradient gradient_;
};

/// The gradient of an operand that was broadcast: g summed over the axes that `shape` lacks or has with length 1. Free when shapes agree.
Value sum_to(Value g, const Shape& shape);

/// A number beside `v`, f32 [].
inline Value number(Value v, double x) {
  return v.graph->constant(x);
}

/// Reference kernel of an elementwise op of one operand: f from double to double.
template <class F>
void reference_unary(const ReferenceCall& call, F f) {
  for (std::size_t i = 0; i < call.out[0].size(); ++i) {
    call.out[0][i] = f(call.in[0][i]);
  }
}

/// The same of two operands, broadcast.
template <class F>
void reference_binary(const ReferenceCall& call, F f) {
  StridedWalk a = broadcast_walk(call.in_types[0].shape, call.out_types[0].shape);
  StridedWalk b = broadcast_walk(call.in_types[1].shape, call.out_types[0].shape);
  for (double& y : call.out[0]) {
    y = f(call.in[0][a.index()], call.in[1][b.index()]);
    a.next();
    b.next();
  }
}

/// Tile loops. `out` may be an operand: element i is read before it is written and no other is touched, so the compiler may vectorise.
template <class F>
void tile_unary(float* out, const float* const* in, std::size_t n, F f) {
  const float* const x = in[0];
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = f(x[i]);
  }
}

template <class F>
void tile_binary(float* out, const float* const* in, std::size_t n, F f) {
  const float* const a = in[0];
  const float* const b = in[1];
#pragma GCC ivdep
  for (std::size_t i = 0; i < n; ++i) {
    out[i] = f(a[i], b[i]);
  }
}

}  // namespace lockstep
