#include "ops/attention/attention.hpp"

#include <fmt/format.h>

#include <cmath>

#include "ops/batch_norm/batch_norm.hpp"

namespace lockstep {
namespace {

TensorType output_type(const AttentionSizes& s) { return {{s.samples, s.positions, s.row()}, DType::f32}; }
TensorType log_sum_type(const AttentionSizes& s) { return {{s.samples, s.heads, s.positions}, DType::f32}; }

std::vector<TensorType> infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_operands(op, in, {DType::f32});
  const AttentionSizes s = attention_sizes(in[0], attrs, op);
  return {output_type(s), log_sum_type(s)};
}

std::vector<Value> gradient(const GradientCall& call) {
  if (call.grads[1]) {
    throw UsageError("attention: no gradient flows through its sums of exponentials");
  }
  return {call.graph.add(attention_backward_op, call.attrs, {call.inputs[0], call.outputs[1], call.grads[0]})};
}

/// 0, 1, … count−1.
Value counting(Graph& graph, std::int64_t count) {
  Value numbers = reshape(graph.constant(0), {1});
  for (std::int64_t have = 1; have < count; have *= 2) {
    numbers = concat({numbers, add(numbers, graph.constant(static_cast<double>(have)))}, 0);
  }
  return slice(numbers, 0, 0, count);
}

std::vector<Value> expand(Graph& graph, std::span<const Value> in, const Attrs& attrs) {
  const AttentionSizes s = attention_sizes(in[0].type(), attrs, "attention");
  const auto part = [&](std::int64_t i) {  // query, key, value: [n, heads, T, D]
    const Value rows = slice(in[0], 2, i * s.row(), (i + 1) * s.row());
    return transpose(reshape(rows, {s.samples, s.positions, s.heads, s.width}), {0, 2, 1, 3});
  };
  Value scores = mul(matmul(part(0), part(1), false, true), graph.constant(1 / std::sqrt(static_cast<double>(s.width))));
  if (s.causal) {
    const Value place = counting(graph, s.positions);
    const Value later = step(sub(reshape(place, {1, s.positions}), reshape(place, {s.positions, 1})));
    scores = sub(scores, mul(later, graph.constant(1e30)));
  }
  const Value greatest = max(scores, {-1}, true);
  const Value log_sum = add(greatest, log(sum(exp(sub(scores, greatest)), {-1}, true)));
  const Value y = matmul(exp(sub(scores, log_sum)), part(2));
  return {reshape(transpose(y, {0, 2, 1, 3}), output_type(s).shape), reshape(log_sum, log_sum_type(s).shape)};
}

std::vector<TensorType> backward_infer(std::string_view op, std::span<const TensorType> in, const Attrs& attrs) {
  check_count(op, in, 3);
  const AttentionSizes s = attention_sizes(in[0], attrs, op);
  require_operand(op, in, 1, log_sum_type(s));
  require_operand(op, in, 2, output_type(s));
  return {in[0]};
}

/// Of kProducts products of [T, D] matrices, or of half of each where later positions are left out.
template <int kProducts>
void cost(Cost& cost, std::span<const TensorType> in, const Attrs& attrs) {
  const AttentionSizes s = attention_sizes(in[0], attrs, "attention");
  const auto pairs = static_cast<double>(s.causal ? s.positions * (s.positions + 1) / 2 : s.positions * s.positions);
  cost.flops = kProducts * 2.0 * pairs * static_cast<double>(s.samples * s.row());
}

}  // namespace

AttentionSizes attention_sizes(const TensorType& qkv, const Attrs& attrs, std::string_view op) {
  const std::int64_t heads = attrs.integer("heads");
  if (qkv.dtype != DType::f32 || qkv.shape.rank() != 3 || heads < 1 || qkv.shape[2] % (3 * heads) != 0) {
    throw ShapeError(fmt::format("{}: {} is not f32 [n, positions, 3·width] with a width that {} heads can share", op, qkv.str(), heads));
  }
  return {qkv.shape[0], qkv.shape[1], heads, qkv.shape[2] / (3 * heads), attrs.integer("causal") != 0};
}

constinit const DefinedOp attention_op({.name = "attention",
                                        .infer = infer,
                                        .gradient = gradient,
                                        .expand = expand,
                                        .cost = cost<2>,
                                        .reference = attention_reference,
                                        .cpu = attention_cpu});

constinit const DefinedOp attention_backward_op({.name = "attention_backward",
                                                 .infer = backward_infer,
                                                 .cost = cost<5>,
                                                 .reference = attention_backward_reference,
                                                 .cpu = attention_backward_cpu});

Value attention(Value qkv, std::int64_t heads, bool causal) {
  return qkv.graph->add(attention_op, {{"heads", heads}, {"causal", std::int64_t{causal}}}, {qkv});
}

}  // namespace lockstep
