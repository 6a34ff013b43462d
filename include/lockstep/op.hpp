#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "lockstep/error.hpp"
#include "lockstep/graph.hpp"

namespace lockstep {

/// What one call of an op costs: floating-point operations, and bytes read and written.
struct Cost {
  double flops = 0;
  double bytes = 0;
};

/// Everything an op needs to write its gradient as graph nodes. `grads[i]` is the gradient of output i, or empty where nobody asked.
struct GradientCall {
  Graph& graph;
  const Attrs& attrs;
  std::vector<Value> inputs;
  std::vector<Value> outputs;
  std::vector<Value> grads;
};

/// The meaning of one operation, without any code that computes it. Stateless: one object a kind of op, compared by address.
class Op {
 public:
  Op() = default;
  Op(const Op&) = delete;
  Op& operator=(const Op&) = delete;
  virtual ~Op() = default;

  /// The name in JSON, in messages and of the op's folder.
  [[nodiscard]] virtual std::string_view name() const = 0;

  /// Types of the outputs. Throws ShapeError naming the op and the shapes when the operands do not fit.
  [[nodiscard]] virtual std::vector<TensorType> infer(std::span<const TensorType> in, const Attrs& attrs) const = 0;

  /// Gradient of each input (empty: no gradient flows there), written as nodes of `call.graph`.
  /// The default throws UsageError: the op has no gradient.
  [[nodiscard]] virtual std::vector<Value> gradient(const GradientCall& call) const;

  /// The same outputs written in ops that have a gradient, for ops whose own gradient is a hand-written backward op.
  /// Empty: the op is primitive. Used where a second derivative is asked for.
  [[nodiscard]] virtual std::vector<Value> expand(Graph& graph, std::span<const Value> in, const Attrs& attrs) const;

  /// The default counts no flops and every operand once.
  [[nodiscard]] virtual Cost cost(std::span<const TensorType> in, std::span<const TensorType> out, const Attrs& attrs) const;

  /// True when output element i depends on element i of each operand alone (operands broadcast as numpy's): such chains are fused.
  [[nodiscard]] virtual bool elementwise() const { return false; }

  /// True when the output is the memory of the first operand under another shape: the plan computes nothing for it.
  [[nodiscard]] virtual bool view() const { return false; }
};

/// numpy's broadcasting of two shapes. Throws ShapeError naming `op`.
[[nodiscard]] Shape broadcast(const Shape& a, const Shape& b, std::string_view op);

}  // namespace lockstep
